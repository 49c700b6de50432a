/**
 * What changes by itself in every Odoo that runs. Nobody misses it after a way back, so it stands below the rest; it is counted like
 * everything else. A model or a table, and why nobody misses it.
 */
export const noise: Readonly<Record<string, string>> = {
  "bus.bus": "messages on their way to browsers",
  "bus.presence": "who is online",
  "mail.presence": "who is online",
  "mail.ice.server": "addresses for calls",
  "res.device": "browsers that were seen",
  "res.device.log": "browsers that were seen",
  "res.users.log": "log-ins",
  "ir.cron": "when scheduled actions ran and run next",
  "ir.cron.progress": "how far scheduled actions came",
  "ir.cron.trigger": "when scheduled actions shall run",
  "ir.logging": "what the server logged",
  "ir.profile": "measurements of the server",
  "discuss.channel.rtc.session": "calls that were held",
  wizards: "what somebody was asked in a dialog",
  orm_signaling_: "caches that were told to be emptied",
  "ir.attachment/assets": "style sheets and scripts, made anew when they are needed",
};
