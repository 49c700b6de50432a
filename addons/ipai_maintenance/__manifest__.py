{
    "name": "IPAI Maintenance Mode",
    "summary": "Keeps everybody but administrators out while base.maintenance_mode is set",
    "version": "1.0.0",
    "license": "LGPL-3",
    "author": "IPAI Ops contributors",
    "category": "Technical",
    "depends": ["base_setup"],
    "data": ["views/res_config_settings_views.xml"],
}
