#!/bin/bash
# The standard deployment of the runbook that this program comes from, step by step, with what a stack without containers has in the place
# of docker: START and STOP are the commands of the three services, as this program has them too. Prints when each step began.
# Left out are what changes nothing here: the first one (ssh), a new image (no Dockerfile changes), and the message to Mattermost.
set -euo pipefail
folder=$1 modules=$2 shop=$3
shift 3 # What is left is Odoo's own program.
step() { echo "$1 $(date +%s.%N)"; }

step 2 # Pull latest code
cd "$folder/addons"
git pull --quiet origin main
git log -1 --oneline >/dev/null

step 3 # Stop Odoo
bash -c "$STOP"

step 5 # Start Odoo
declare -A said
for log in "$folder"/log/odoo-*.log; do said[$log]=$(stat --format=%s "$log"); done
bash -c "$START"

step 6 # Monitor startup logs: until every service says that its modules are loaded
for log in "${!said[@]}"; do
  until tail -c "+$((said[$log] + 1))" "$log" | grep -q 'Modules loaded'; do sleep 0.2; done
done

step 7 # Module upgrade
"$@" -c "$folder/odoo.conf" -d odoo -u "$modules" --stop-after-init --no-http --logfile="$folder/odoo/upgrade.log"

step 8 # Database verification
$PSQL -d odoo -c "select name, state, latest_version from ir_module_module where name like 'ipai_%' order by name" >/dev/null

step 9 # Restart, and wait for the full startup
bash -c "$STOP"
bash -c "$START"
sleep 60

step 10 # Health check
pgrep -f "$folder/odoo.conf" >/dev/null
$PSQL -d odoo -c "select 1" >/dev/null
df "$folder" >/dev/null
curl --silent --fail "$shop/web/health" >/dev/null

step 11 # Smoke tests
curl --silent --fail "$shop/web/login" | grep -q 'name="login"'

step 12 # Scheduled actions
$PSQL -d odoo -c "select id, cron_name, active, nextcall from ir_cron" >/dev/null

step 13 # Maintenance mode off
echo "env['ir.config_parameter'].set_param('base.maintenance_mode', False); env.cr.commit()" |
  "$@" shell -d odoo -c "$folder/odoo.conf" --no-http --log-level=warn >/dev/null

step 14
