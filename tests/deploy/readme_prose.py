"""The commands that stand in the prose of deploy/README.md, typed on a desk where three replicas run."""
import bed
import page_blocks
import readme_looks as looks
from operator_desk import need

PROGRAMS = {"kubectl", "ippctl", "ipp-gateway", "curl", "./dev", "cmake", "ninja", "ctest", "kustomize", "docker", "psql",
            "pg_dump", "pg_restore", "RUNBOOK=https://…", "deploy/image/base.sh", "deploy/image/pack.py"}
EVENT = "11111111-1111-4111-8111-111111111111"


def _kubectl(desk, command):
    """On a cluster of its own, with `single` and its backups."""
    desk.shell(command, STAND_IN_CLUSTER=str(desk.work / "single.json"))


def _ippctl(desk, command):
    """It may be refused for what the page's NAME stands for, not for its words. A name alone has its help."""
    session = " " + desk.variables["FIRST"]
    done = desk.tried(command.replace("EVENT_ID", EVENT).replace(" ID", session).replace("NAME", "orders"))
    need(done.returncode != 2 or desk.tried(f"{command} --help").returncode == 0 and "-" not in command,
         f"{command}: {done.stdout}{done.stderr}")


def _curl(desk, command):
    need(" 401 " in desk.shell(command).partition("\n")[0], f"{command} does not say 401")


def _ipp_gateway(desk, command):
    need("the configuration is good" in desk.shell(command.replace("…", "gateway.yaml")), command)


def _rules(desk, command):
    said = desk.shell(command.replace("…", "git.example.com"), "deploy")
    need("runbook_url: https://git.example.com#" in said, said[:2000])


def _psql(desk, command):
    need("DROP SCHEMA" in desk.shell(command), command)


RUN = {"kubectl": _kubectl, "ippctl": _ippctl, "curl": _curl, "ipp-gateway": _ipp_gateway, "RUNBOOK=https://…": _rules, "psql": _psql}


def run_all(desk, text):
    [backup] = [one.text for one in page_blocks.blocks(text) if one.heading == "Backups on Kubernetes"]
    desk.shell("cp -r deploy/kubernetes prose")
    desk.shell(backup, "prose/overlays/single")
    # Without the objects of Secrets: no pod starts here.
    _kubectl(desk, "kustomize build prose/overlays/single | kubectl apply -f -\n")
    desk.shell(f"ippctl sessions cancel {desk.variables['FIRST']}")
    count = 0
    for line, command in page_blocks.inline(text, PROGRAMS):
        if found := [look for begin, _, look in looks.INLINE_NOT_RUN if command.startswith(begin) and
                     (begin != "kubectl apply" or command == begin)]:
            found[0](command)
        else:
            program = command.split()[0]
            need(program in RUN, f"README.md:{line}: '{command}' is neither run nor in INLINE_NOT_RUN")
            RUN[program](desk, command + "\n" if program != "ippctl" else command)
        count += 1
    need(count > 30, f"{count} commands in the prose")
