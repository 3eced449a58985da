"""What is looked at of the commands in deploy/README.md that cannot be run."""
import re
import shlex
import subprocess

import bed
import ipp_kit
from operator_desk import need

DOCKERFILE = (bed.DEPLOY / "Dockerfile").read_text()


def docker_run(_, block):
    """What is mounted is what the image and the example of a configuration name."""
    words = shlex.split(block.text.replace("\\\n", " "))
    need(words[:2] == ["docker", "run"] and words[2:-1:2] == ["-v"] * ((len(words) - 3) // 2), f"{words}")
    mounts = {}
    for mount in words[3:-1:2]:
        _, target, *mode = mount.split(":")
        mounts[target] = mode
    [volume] = re.findall(r"^VOLUME (\S+)$", DOCKERFILE, re.M)
    [config] = re.findall(r'^CMD \["--config", "([^"]+)"\]$', DOCKERFILE, re.M)
    example = (bed.DEPLOY / "gateway.example.yaml").read_text()
    secrets = {path.rpartition("/")[0] for path in re.findall(r"^[^#\n]*_file: (\S+)$", example, re.M)} - {"/etc/ssl/certs"}
    need(mounts == {volume: [], config: ["ro"], **{folder: ["ro"] for folder in secrets}}, f"{mounts}")


def dev_image(_, block):
    """./dev has the command, its script writes the files, and ./dev itself shows the second line."""
    first, second = block.text.splitlines()
    command, _, comment = first.partition("#")
    dev_command(command)
    script = (bed.DEPLOY / "image/build.sh").read_text()
    [path] = re.findall(r"build/image/\S+\.tar", comment)
    name = path.rpartition("/")[2].removesuffix(".tar")
    need("out=build/image\n" in script and f"name={name} " in script and ' "$out/$name" ' in script, path)
    for file in re.findall(r"\S+\.json", comment):
        need(file.replace(name, ">\"$out/$name", 1) in script, file)
    need(second.replace(name, "$name") in (bed.ROOT / "dev").read_text(), second)


def mmdebstrap(_, block):
    """The shell makes the list of packages as it should: the Dockerfile's, the libraries for arm64."""
    done = subprocess.run(["bash", "-euc", "mmdebstrap() { printf '%s\\n' \"$@\"; }\n" + block.text], capture_output=True,
                          text=True, check=True)
    variant, architectures, include, suite, root = done.stdout.split()
    need((variant, architectures) == ("--variant=apt", "--architectures=amd64,arm64"), done.stdout)
    need((suite, root) == ("trixie", "ROOT") and include.startswith("--include="), done.stdout)
    stage = DOCKERFILE.partition("FROM ${DEBIAN}\n")[0]
    [build] = re.findall(r"apt-get install -y --no-install-recommends \\\n(.*?)&&", stage, re.S)
    libraries = {name for name in build.replace("\\", " ").split() if name.endswith("-dev") and name != "rapidjson-dev"}
    listed = set(include.partition("=")[2].split(","))
    foreign = {name.partition(":")[0] for name in listed if name.endswith(":arm64")}
    need(foreign == libraries, f"{foreign ^ libraries}")


def audit_line(desk, block):
    """It has the fields of a line that a gateway of this build writes."""
    def fields(line):
        return re.findall(r" (\w+)=", line)
    real = [line for one in desk.bed.logs.glob("ipp-gateway-*.log") for line in one.read_text().splitlines()
            if re.match(r"\S+ audit caller=order-service rpc=CreateSession ", line)]
    need(real, "no create in the audit")
    need(fields(block.text) == fields(real[-1]), f"{block.text}{real[-1]}")


def dev_command(command):
    """./dev WORD: there is such a command."""
    word = command.split()[1]
    need(f"\ncmd_{word}() {{" in (bed.ROOT / "dev").read_text(), command)


def paths(command):
    """Files of the repository that a command names are there; what is in build/ the commands before it make."""
    for word in shlex.split(command):
        if "/" in word and not word.startswith("build/"):
            need((bed.ROOT / word).exists(), f"{command}: {word}")


PRESETS = (bed.ROOT / "CMakePresets.json").read_text()


def cmake(command):
    paths(command)
    need(f'"name": "{shlex.split(command)[2]}"' in PRESETS, command)


# Commands in the page's prose that are not typed by the test: how they begin, the reason, and what is looked at.
INLINE_NOT_RUN = [
    ("ctest -R '^deploy'", "this test is one of them", lambda command: None),
    ("./dev ", "minutes", dev_command),
    ("cmake ", "another architecture", cmake),
    ("ninja ", "another architecture", lambda command: [need(ipp_kit.FOLDERS[name], name) for name in command.split()[3:]]),
    ("deploy/image/", "another architecture; deploy.pack and ./dev image run it", paths),
    ("kubectl apply -k", "a name", lambda command: None),
    ("kubectl apply", "a name", lambda command: None),
]
