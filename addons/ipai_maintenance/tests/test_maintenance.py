import json
import xmlrpc.client

from odoo.tests import HttpCase, new_test_user, tagged

MARK = "closed for maintenance"


@tagged("post_install", "-at_install")
class TestMaintenance(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user = new_test_user(cls.env, "maintenance_user", "base.group_user", password="maintenance_user")
        cls.system = new_test_user(cls.env, "maintenance_system", "base.group_system", password="maintenance_system")
        cls.uid_of = {user.login: user.id for user in (cls.user, cls.system)}

    def switch(self, value, reason=""):
        # As an operator with psql does, and the shell of the runbook in another process: no cache hears of it.
        self.env["ir.config_parameter"].get_param("base.maintenance_mode")
        self.env.flush_all()
        for key, given in (("base.maintenance_mode", value), ("ipai_maintenance.reason", reason)):
            self.env.cr.execute("DELETE FROM ir_config_parameter WHERE key = %s", [key])
            self.env.cr.execute("INSERT INTO ir_config_parameter (key, value) VALUES (%s, %s)", [key, given])

    def get(self, path, **given):
        return self.url_open(path, allow_redirects=False, **given)

    def call_kw(self):
        params = {"model": "res.users", "method": "search_count", "args": [[]], "kwargs": {}}
        body, headers = json.dumps({"params": params}), {"Content-Type": "application/json"}
        return self.url_open("/web/dataset/call_kw", data=body, headers=headers)

    def call(self, login, model="res.users", method="search_count", args=((),)):
        return self.xmlrpc_object.execute_kw(self.env.cr.dbname, self.uid_of[login], login, model, method, list(args))

    def log_in(self, login):
        page = self.get("/web/login")
        token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
        return self.get("/web/login", data={"login": login, "password": login, "csrf_token": token})

    def test_open(self):
        self.switch("False")
        for path in ("/web/health", "/web/login"):
            self.assertEqual(self.get(path).status_code, 200, path)
        self.authenticate("maintenance_user", "maintenance_user")
        self.assertEqual(self.get("/odoo").status_code, 200)
        self.assertGreater(self.call("maintenance_user"), 0)

    def test_a_page_tells_strangers(self):
        self.switch("True", "The <b>year</b> is closed")
        for path in ("/", "/odoo", "/web", "/web/image/1", "/no/such/page", "/my/home"):
            answer = self.get(path)
            self.assertEqual((answer.status_code, answer.headers.get("Retry-After")), (503, "120"), path)
            self.assertIn(MARK, answer.text)
            self.assertIn("The &lt;b&gt;year&lt;/b&gt; is closed", answer.text)
        for path in ("/web/health", "/web/login"):
            self.assertEqual(self.get(path).status_code, 200, path)

    def test_whoever_is_in_already_is_kept_out(self):
        self.authenticate("maintenance_user", "maintenance_user")
        self.assertEqual(self.get("/odoo").status_code, 200)
        self.switch("True")
        self.assertEqual(self.get("/odoo").status_code, 503)
        answer = self.call_kw()
        self.assertEqual((answer.status_code, answer.headers.get("Retry-After")), (503, "120"))
        error = answer.json()["error"]
        self.assertEqual((error["code"], error["data"]["name"]), (503, "odoo.exceptions.UserError"))
        self.assertIn(MARK, error["data"]["message"])
        self.switch("False")
        self.assertEqual(self.get("/odoo").status_code, 200)

    def test_administrators_log_in_and_work(self):
        self.switch("True")
        self.assertEqual(self.log_in("maintenance_system").status_code, 303)
        self.assertEqual(self.get("/odoo").status_code, 200)
        self.assertGreater(self.call_kw().json()["result"], 0)

    def test_others_do_not_log_in_and_are_told_why(self):
        self.switch("True")
        answer = self.log_in("maintenance_user")
        self.assertEqual(answer.status_code, 200)
        self.assertIn(MARK, answer.text)
        wrong = self.get("/web/login").text.split('name="csrf_token" value="')[1].split('"')[0]
        answer = self.get("/web/login", data={"login": "maintenance_user", "password": "x", "csrf_token": wrong})
        self.assertNotIn(MARK, answer.text)

    def test_programs_of_others_are_refused_with_the_reason(self):
        # Compared once, the password is not compared again.
        self.assertGreater(self.call("maintenance_user"), 0)
        self.switch("True", "Books are closed.")
        with self.assertRaises(xmlrpc.client.Fault) as refused:
            self.call("maintenance_user")
        self.assertIn(MARK, refused.exception.faultString)
        self.assertIn("Books are closed.", refused.exception.faultString)
        with self.assertRaises(xmlrpc.client.Fault) as refused:
            self.xmlrpc_common.authenticate(self.env.cr.dbname, "maintenance_user", "maintenance_user", {})
        self.assertIn(MARK, refused.exception.faultString)
        self.assertGreater(self.call("maintenance_system"), 0)
        self.switch("False")
        self.assertGreater(self.call("maintenance_user"), 0)

    def test_the_settings_switch_it(self):
        settings = self.env["res.config.settings"]
        settings.create({"maintenance_mode": True, "maintenance_reason": "Books"}).execute()
        self.env.flush_all()
        self.assertEqual(self.env["ir.config_parameter"]._read_maintenance(), (True, "Books"))
        self.assertEqual(self.get("/odoo").status_code, 503)
        settings.create({"maintenance_mode": False}).execute()
        self.env.flush_all()
        self.assertFalse(self.env["ir.config_parameter"]._read_maintenance()[0])
        self.assertEqual(self.get("/web/login").status_code, 200)

    def test_what_is_no_switch_leaves_it_open(self):
        for value in ("", "0", "false", "no", "off", "perhaps"):
            self.switch(value)
            self.assertFalse(self.env["ir.config_parameter"]._read_maintenance()[0], value)
        for value in ("True", "1", "yes", "on", " true "):
            self.switch(value)
            self.assertTrue(self.env["ir.config_parameter"]._read_maintenance()[0], value)

    def test_scheduled_actions_go_on(self):
        active = self.env["ir.cron"].search([]).ids
        model, code = self.env.ref("base.model_res_partner").id, "env['res.partner'].create({'name': 'Made meanwhile'})"
        action = self.env["ir.actions.server"].create({"name": "meanwhile", "model_id": model, "state": "code", "code": code})
        self.switch("True")
        action.run()
        self.assertEqual(self.env["res.partner"].search_count([("name", "=", "Made meanwhile")]), 1)
        self.assertEqual(self.env["ir.cron"].search([]).ids, active)
