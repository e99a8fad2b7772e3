"""A real Apache Kafka (KRaft) for tests: one process a node, loopback and free ports.

The jars come from Maven once and stay in the cache directory (`ICU_CACHE`, `.cache/` in
the project's root by default). Every node dies with this process, however it ends.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from confluent_kafka.admin import AdminClient

from icu_stream import bus, keyring, permissions
from icu_stream.demo import tethered
from icu_stream.settings import Settings, environment


ROOT = Path(__file__).resolve().parents[1]
POM = Path(__file__).with_name("kafka-pom.xml")
SECURITY = ROOT / "docker" / "kafka" / "security.properties"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 15

# A node is killed by the kernel when the thread that started it ends, so all are
# started by one thread that lives as long as this process.
_STARTER = ThreadPoolExecutor(1, "kafka-starter")

# One machine's worth of Kafka: small threads, buffers and internal topics, so that a
# node starts in seconds, and 3 s instead of 9 s until a killed node may come back or
# its partitions get another leader; the rest is as shipped.
_PROPERTIES = """
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
min.insync.replicas={min_insync}
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
offsets.topic.replication.factor={replication}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replication}
transaction.state.log.min.isr={min_insync}
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
share.coordinator.state.topic.replication.factor={replication}
share.coordinator.state.topic.min.isr={min_insync}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
"""

# As on a real cluster: certificates among brokers, names and passwords for processes, and
# access lists. PLAINTEXT is for this module, to see whether the node answers.
_SECURE = """
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port},BROKER://127.0.0.1:{broker_port},CLIENT://127.0.0.1:{client_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},BROKER://127.0.0.1:{broker_port},CLIENT://127.0.0.1:{client_port}
{shipped}
listener.security.protocol.map=CONTROLLER:SSL,BROKER:SSL,CLIENT:SASL_SSL,PLAINTEXT:PLAINTEXT
super.users=User:kafka-1;User:admin;User:ANONYMOUS
ssl.keystore.location={secrets}/kafka/kafka-1.pem
ssl.truststore.location={secrets}/authority/ca.pem
"""

_LOGGING = """
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss,SSS} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


def cache() -> Path:
    """Where downloads are kept between runs."""
    return Path(os.environ.get("ICU_CACHE", ROOT / ".cache")).resolve()


def why_unavailable() -> str | None:
    """What this machine lacks for a Kafka of its own, and what to install."""
    lacking = [name for name in ("java", "mvn") if shutil.which(name) is None]
    if not lacking or (lacking == ["mvn"] and _libraries().is_dir()):
        return None
    return (
        f"{' and '.join(lacking)} not found: install a JDK 17 or newer and Maven "
        "(Debian: apt-get install default-jdk-headless maven)"
    )


def _libraries() -> Path:
    """Where the jars of this pom are: the name changes when the pom does."""
    return cache() / f"kafka-{uuid.uuid5(uuid.NAMESPACE_OID, POM.read_text()).hex[:12]}"


def jars() -> Path:
    """The directory of Kafka's jars; downloaded when they are not there yet."""
    libraries = _libraries()
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not libraries.is_dir():
            with tempfile.TemporaryDirectory(dir=cache()) as scratch:
                part = Path(scratch) / "jars"
                to = (f"-DoutputDirectory={part}", "-DincludeScope=runtime")
                goal = (
                    "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:"
                    "copy-dependencies"
                )
                done = subprocess.run(
                    ["mvn", "-q", "-B", "-f", str(POM), goal, *to],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=600,
                    check=False,
                )
                if done.returncode:
                    msg = f"Maven did not get Kafka:\n{done.stdout[-2000:]}"
                    raise RuntimeError(msg)
                part.rename(libraries)
    return libraries


def free_ports(count: int) -> list[int]:
    """Free loopback ports, all different."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def free_port() -> int:
    """A free loopback port."""
    return free_ports(1)[0]


class Node:
    """One Kafka process; its data and its port stay the same over restarts."""

    def __init__(self, directory: Path, properties: str, cluster_id: str) -> None:
        self._directory = directory
        self._properties = directory / "server.properties"
        self._cluster_id = cluster_id
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir()
        self._properties.write_text(properties)
        (directory / "log4j2.properties").write_text(_LOGGING)

    @property
    def pid(self) -> int:
        """Process id of the running node."""
        assert self._process is not None, "the node is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Is there a process, frozen or not?"""
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Start the process; does not wait until it answers."""
        assert not self.running, "the node runs already"
        if not (self._directory / "data").exists():
            tool = (*self._java("-Xmx128m"), "kafka.tools.StorageTool", "format")
            done = subprocess.run(
                [*tool, "-t", self._cluster_id, "-c", str(self._properties)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=START_TIMEOUT_S,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
        self._process = _STARTER.submit(self._spawn).result()

    def kill(self) -> None:
        """SIGKILL: nothing is said to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """SIGTERM and wait; SIGKILL when it does not end."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT_S)
            self.kill()

    def freeze(self) -> None:
        """SIGSTOP: the process keeps its connections and does nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: the process goes on where it was."""
        os.kill(self.pid, signal.SIGCONT)

    def log_tail(self) -> str:
        """The last lines that the process wrote."""
        return (self._directory / "log").read_text(errors="replace")[-3000:]

    def _java(self, *options: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self._directory}/log4j2.properties"
        # One compiler: a short life, and half the processor time of the full one.
        quick = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", logging)
        return ["java", *quick, *options, "-cp", f"{jars()}/*"]

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [*self._java("-Xmx512m"), "kafka.Kafka", str(self._properties)]
        with (self._directory / "log").open("ab") as log:
            return subprocess.Popen(
                tethered(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests, not for the broker
            )


class Kafka:
    """A Kafka cluster of one or more nodes; use it as a context manager.

    With three nodes and more, topics have three replicas of which two must answer. A
    secure one (of one node) has the security settings of docker/kafka, and gives settings
    with TLS, the name and the password of one process.

    Attributes:
        secrets: Of a secure one: what `icu-stream secrets` makes.
        bootstrap: `host:port` of every node, separated by commas.
        nodes: The nodes, each of which can be stopped, killed and frozen by itself.
    """

    def __init__(self, nodes: int = 1, *, secure: bool = False) -> None:
        # ignore_cleanup_errors: a killed node's last file may appear meanwhile.
        self._scratch = tempfile.TemporaryDirectory(
            prefix="icu-kafka-", ignore_cleanup_errors=True
        )
        self._directory = Path(self._scratch.name)
        self._replication = min(3, nodes)
        ports = free_ports(2 * nodes)
        brokers, controllers = ports[:nodes], ports[nodes:]
        voters = ",".join(
            f"{n}@127.0.0.1:{port}" for n, port in enumerate(controllers, 1)
        )
        self.bootstrap = ",".join(f"127.0.0.1:{port}" for port in brokers)
        cluster_id = uuid.uuid4().hex[:22]
        self.secrets = self._directory / "secrets"
        self._client_port, self._broker_port = free_ports(2) if secure else (0, 0)
        more = ""
        if secure:
            keyring.make(self.secrets)
            more = _SECURE.format(
                port=brokers[0],
                controller_port=controllers[0],
                client_port=self._client_port,
                broker_port=self._broker_port,
                shipped=SECURITY.read_text(),
                secrets=self.secrets,
            )
        self.nodes = [
            Node(
                self._directory / f"node-{n}",
                _PROPERTIES.format(
                    node=n,
                    voters=voters,
                    port=brokers[n - 1],
                    controller_port=controllers[n - 1],
                    data=self._directory / f"node-{n}" / "data",
                    replication=self._replication,
                    min_insync=2 if self._replication == 3 else 1,
                )
                + more,
                cluster_id,
            )
            for n in range(1, nodes + 1)
        ]

    def __enter__(self) -> "Kafka":
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the nodes that do not run and wait until all of them answer."""
        for node in self.nodes:
            if not node.running:
                node.launch()
        self.wait_until_ready()

    def wait_until_ready(self, steady_s: float = 0.0) -> None:
        """Wait until every node that has been started answers as a broker.

        Args:
            steady_s: For how long without a break: the controller shuts out a broker that
                was frozen a moment after it runs again.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        admin = AdminClient(
            {"bootstrap.servers": self.bootstrap, "log_level": 0, "error_cb": _silent}
        )
        wanted = len(self.nodes)
        since: float | None = None
        while True:
            known = 0
            with contextlib.suppress(Exception):
                known = len(admin.list_topics(timeout=2).brokers)
            if known < wanted:
                since = None
            elif since is None:
                since = time.monotonic()
            if since is not None and time.monotonic() - since >= steady_s:
                return
            dead = [node for node in self.nodes if not node.running]
            if dead or time.monotonic() > deadline:
                logs = "\n".join(node.log_tail() for node in dead or self.nodes)
                msg = f"Kafka does not answer at {self.bootstrap}:\n{logs}"
                raise RuntimeError(msg)
            time.sleep(0.1)

    def stop(self) -> None:
        """End every node in an orderly way; the data stays."""
        for node in self.nodes:
            node.stop()

    def kill(self) -> None:
        """SIGKILL every node; the data stays."""
        for node in self.nodes:
            node.kill()

    def freeze(self) -> None:
        """SIGSTOP every node."""
        for node in self.nodes:
            node.freeze()

    def thaw(self) -> None:
        """SIGCONT every node."""
        for node in self.nodes:
            node.thaw()

    def restart(self) -> None:
        """Stop and start every node, on the same ports and the same data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Kill every node and remove the data."""
        self.kill()
        self._scratch.cleanup()

    def settings(
        self, *, create: bool = True, process: str = "worker", **overrides: object
    ) -> Settings:
        """Settings with topics, application, data directory and ports of their own.

        Args:
            create: Make the topics and, on a secure Kafka, give each process its rights.
            process: Who signs in to a secure Kafka.
            overrides: Any field of `Settings`; `partitions` is 4 when not given.
        """
        name = uuid.uuid4().hex[:8]
        data_dir = self._directory / f"data-{name}"
        data_dir.mkdir()
        web_port, ward_port = free_ports(2)
        fields: dict[str, object] = {
            "broker": self.bootstrap,
            "topic_prefix": f"t-{name}.",
            "app_id": f"w-{name}",
            "partitions": 4,
            "replication": self._replication,
            "data_dir": data_dir,
            "web_port": web_port,
            "ward_port": ward_port,
        }
        if self._client_port:
            fields |= self._sign_in(process)
        made = Settings(_env_file=None, **(fields | overrides))
        if create:
            owner = self.administrator(made)
            # In a thread: this is called inside of running event loops, too.
            with ThreadPoolExecutor(1) as pool:
                pool.submit(lambda: asyncio.run(bus.create_topics(owner))).result()
            if self._client_port:
                permissions.apply(owner, keyring.passwords(self.secrets))
        return made

    def as_process(self, settings: Settings, process: str) -> Settings:
        """The same topics, with the name and the password of another process."""
        fields = dict(settings) | self._sign_in(process)
        return Settings(_env_file=None, **fields)

    def administrator(self, settings: Settings) -> Settings:
        """The same topics, signed in as somebody who may do everything."""
        if not self._client_port:
            return settings
        fields: dict[str, object] = {
            "broker": f"127.0.0.1:{self._broker_port}",
            "tls_ca": self.secrets / "authority" / "ca.pem",
            "tls_cert": self.secrets / "admin" / "admin.pem",
            "tls_key": self.secrets / "admin" / "admin.key",
            "sasl_mechanism": None,
            "sasl_username": None,
            "sasl_password": None,
        }
        return Settings(_env_file=None, **(dict(settings) | fields))

    def _sign_in(self, process: str) -> dict[str, object]:
        return {
            "broker": f"127.0.0.1:{self._client_port}",
            "tls_ca": self.secrets / "authority" / "ca.pem",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": permissions.user(process),
            "sasl_password": keyring.passwords(self.secrets)[process],
        }

    @staticmethod
    def env(settings: Settings) -> dict[str, str]:
        """The whole environment of a subprocess that is to have these settings."""
        return environment(settings)


def _silent(_: object) -> None:
    """librdkafka says on stderr that nobody answers yet; we know."""
