from odoo import api, models, release
from odoo.exceptions import AccessDenied, UserError


def refusal(reason):
    return f"The system is closed for maintenance. Only administrators may work in it now. {reason}".strip()


class ResUsers(models.Model):
    _inherit = "res.users"

    def _require_no_maintenance(self, refused):
        is_on, reason = self.env["ir.config_parameter"].sudo()._read_maintenance()
        if is_on and not self._is_system():
            raise refused(refusal(reason))


def refused_to(user_agent_env):
    # A form tells why something is denied; for programs that would only be a wrong password.
    return AccessDenied if (user_agent_env or {}).get("interactive", True) else UserError


# Logging in is refused after the password was found right: to whom it does not belong nothing is told, and it counts as no failed attempt, of
# which too many would keep everybody of that address out, administrators too.
# Calls of XML-RPC and JSON-RPC bring the password each time, and it is compared once: whoever called before would never be asked again.
if release.version_info >= (19, 0):

    class ResUsersEntry(models.Model):
        _inherit = "res.users"

        def _login(self, credential, user_agent_env):
            info = super()._login(credential, user_agent_env=user_agent_env)
            self.sudo().browse(info["uid"])._require_no_maintenance(refused_to(user_agent_env))
            return info

        @api.model
        def _check_uid_passwd(self, uid, passwd):
            super()._check_uid_passwd(uid, passwd)
            self.sudo().browse(uid)._require_no_maintenance(UserError)

else:

    class ResUsersEntry(models.Model):
        _inherit = "res.users"

        @classmethod
        def _login(cls, db, credential, user_agent_env):
            info = super()._login(db, credential, user_agent_env=user_agent_env)
            cls._require_of(info["uid"], refused_to(user_agent_env))
            return info

        @classmethod
        def check(cls, db, uid, passwd):
            super().check(db, uid, passwd)
            cls._require_of(uid, UserError)

        @classmethod
        def _require_of(cls, uid, refused):
            with cls.pool.cursor() as cr:
                api.Environment(cr, uid, {})["res.users"].browse(uid)._require_no_maintenance(refused)
