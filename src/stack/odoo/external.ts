/**
 * What a manifest says that Odoo needs besides, in Python, for a script that runs with Odoo's. As Odoo itself looks: a distribution's name,
 * with a version it may have, or what can be imported.
 */
export const externalFunctions = `
import importlib.metadata, importlib.util, re, shutil

def has_python(wanted):
    name = re.split(r"[^A-Za-z0-9._-]", wanted.strip(), maxsplit=1)[0]
    try:
        importlib.metadata.distribution(name)
        return True
    except importlib.metadata.PackageNotFoundError:
        try:
            return importlib.util.find_spec(name) is not None
        except (ImportError, ValueError):
            return False

def has_program(name):
    return shutil.which(name) is not None
`;
