"""An S3 server: OpenStack Swift with its S3 API (Debian's python3-swift), every object once, in a folder.

Its first argument is a JSON object:

  folder       where everything lies; what is there already is served on
  address      where it listens, port: 0 for any
  access, secret   the only user's keys
  certificate, key   files: it speaks TLS

It prints its port when it answers. The four servers that Swift consists of run in this one process, three of them on the loopback alone."""
import array
import json
import os
import sys

import eventlet

eventlet.monkey_patch()
from eventlet import wsgi

options = json.loads(sys.argv[1])
folder = options["folder"]
device = os.path.join(folder, "devices", "disk")
os.makedirs(device, exist_ok=True)

import swift.common.utils as utils

# Before the modules that read it when they are imported.
utils.SWIFT_CONF_FILE = os.path.join(folder, "swift.conf")
with open(utils.SWIFT_CONF_FILE, "w") as file:
    file.write("[swift-hash]\nswift_hash_path_suffix = ipai\n[storage-policy:0]\nname = one\ndefault = yes\n")
utils.validate_hash_conf()

from swift.account.server import AccountController
from swift.common.middleware import bulk, catch_errors, slo, tempauth
from swift.common.middleware.s3api import s3api
from swift.common.ring import RingData
from swift.container.server import ContainerController
from swift.obj.server import ObjectController
from swift.proxy.server import Application

settings = {
    "swift_dir": folder,
    "devices": os.path.join(folder, "devices"),
    "mount_check": "false",
    "log_level": "CRITICAL",
    "fallocate_reserve": "0",
    "disable_fallocate": "true",
    "account_autocreate": "true",
}


class Quiet:
    def write(self, line):
        pass


def serve(socket, application):
    eventlet.spawn(wsgi.server, socket, application, log=Quiet(), log_output=False)


def listen(address="127.0.0.1", port=0):
    return eventlet.listen((address, port))


sockets = {name: listen() for name in ("account", "container", "object")}
for name, socket in sockets.items():
    place = {"id": 0, "region": 1, "zone": 1, "weight": 1.0, "ip": "127.0.0.1", "port": socket.getsockname()[1], "device": "disk"}
    place.update(replication_ip=place["ip"], replication_port=place["port"], meta="")
    RingData([array.array("H", [0])], [place], 32).save(os.path.join(folder, f"{name}.ring.gz"))
    controller = {"account": AccountController, "container": ContainerController, "object": ObjectController}[name]
    serve(socket, controller(settings))


class Cache:
    """Stands in for memcached: of one process, which knows of every change."""

    def __init__(self):
        self.kept = {}

    def get(self, key, raise_on_error=False):
        return self.kept.get(key)

    def set(self, key, value, serialize=True, time=0, min_compress_len=0, raise_on_error=False):
        # As it would come back: tuples are lists then.
        self.kept[key] = json.loads(json.dumps(value))

    def delete(self, key, server_key=None):
        self.kept.pop(key, None)


cache = Cache()


def with_cache(application):
    def answer(env, start_response):
        env["swift.cache"] = cache
        return application(env, start_response)

    return answer


application = Application(settings)
user = {f"user_test_{options['access']}": f"{options['secret']} .admin"}
for factory, more in (
    (slo.filter_factory, {}),
    (bulk.filter_factory, {}),
    (tempauth.filter_factory, {**user, "reseller_prefix": "AUTH"}),
    (s3api.filter_factory, {"location": "us-east-1", "dns_compliant_bucket_names": "true"}),
    (catch_errors.filter_factory, {}),
):
    application = factory(settings, **more)(application)
application = with_cache(application)

socket = listen(options["address"], options.get("port", 0))
port = socket.getsockname()[1]
if "certificate" in options:
    socket = eventlet.wrap_ssl(socket, certfile=options["certificate"], keyfile=options["key"], server_side=True)
serve(socket, application)
print(port, flush=True)
eventlet.Event().wait()
