"""Start Spark, hand parts to its processes, and say in plain words why it could not."""

import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from model.errors import BatchError
from service.cluster.worker import ATTEMPTS, SCHEMA, Loader, Setup, score_frames

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: What Spark says where nobody chose a cluster.
_NO_CLUSTER: Final = "local[*]"
_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: What is set whatever the configuration of Spark says.
_ALWAYS: Final = {"spark.app.name": "vigie", "spark.ui.showConsoleProgress": "false"}
#: What is set unless the configuration of Spark says otherwise.
_WISHES: Final = {
    "spark.log.level": "ERROR",
    "spark.task.maxFailures": str(ATTEMPTS),
    # A second attempt at a part that is only slow would pay for it twice.
    "spark.speculation": "false",
    **{f"spark.executorEnv.{name}": "1" for name in _THREADS},
}
_HERE: Final = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false"}
#: Where the processes find the models, if not where this machine does.
MODEL_DIR: Final = "spark.vigie.modelDir"
_PATIENCE: Final = 1.0
_LONGEST: Final = 300


@contextmanager
def started(workers: int) -> "Iterator[SparkSession]":
    """A session of Spark: on the cluster that its configuration names, otherwise in `workers` processes of this machine.

    Raises:
        BatchError: PySpark or Java is missing, or the cluster does not answer.
    """
    try:
        from py4j.protocol import Py4JError
        from pyspark import SparkConf, SparkContext
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise BatchError(
            f"--engine spark demande PySpark ({error.name} manque) : installez l'extra « vigie[spark] » (« make spark »)."
        ) from error
    try:
        # Starts Java, which reads the configuration: files of Spark, PYSPARK_SUBMIT_ARGS.
        SparkContext._ensure_initialized()
        given = SparkConf()
        here = given.get("spark.master", _NO_CLUSTER) == _NO_CLUSTER
        builder = SparkSession.builder
        for name, value in (_WISHES | (_HERE if here else {})).items():
            if not given.contains(name):
                builder = builder.config(name, value)
        for name, value in _ALWAYS.items():
            builder = builder.config(name, value)
        if here:
            builder = builder.master(f"local[{workers},{ATTEMPTS}]")
        spark = builder.getOrCreate()
    except (PySparkException, Py4JError, OSError) as error:
        raise BatchError(
            f"Spark n'a pas démarré ({_said(error)}). Java 17 ou plus récent est-il là (paquet « openjdk-17-jre-headless ») ?"
        ) from error
    try:
        if here:
            # Otherwise the processes would be those of whichever Python comes first on the path.
            spark.sparkContext.pythonExec = sys.executable
        yield spark
    except (PySparkException, Py4JError, ConnectionError) as error:
        raise BatchError(f"Spark s'est arrêté ({_said(error)}).") from error
    finally:
        # Java may be gone, which ends the session too.
        with suppress(PySparkException, Py4JError, OSError):
            spark.stop()


def score(spark: "SparkSession", setup: Setup, tick: Callable[[], None]) -> list[str]:
    """Score the waiting parts, one task each, and return why some could not be; `tick` is called about once a second."""
    count = len(setup.waiting)
    # One row and one partition a part: nothing is ever shuffled, and what fails is one part.
    places = spark.range(0, count, 1, count)
    # Typed as the interface of pandas has it.
    function: Any = partial(score_frames, setup)
    with warnings.catch_warnings():
        # About versions of pandas; the only frames here are of two plain columns.
        warnings.simplefilter("ignore", FutureWarning)
        frame = places.mapInPandas(function, SCHEMA)
    with ThreadPoolExecutor(1) as thread:
        answers: Future[list[Any]] = thread.submit(frame.collect)
        try:
            while not answers.done():
                _wait(answers)
                tick()
        except BaseException:
            spark.sparkContext.cancelAllJobs()
            raise
    return [row.fault for row in sorted(answers.result()) if row.fault is not None]


def at_executors(spark: "SparkSession", setup: Setup) -> Setup:
    """The setup with the folder of models as the processes see it."""
    folder = spark.conf.get(MODEL_DIR, None)
    if folder is None or not isinstance(setup.load, Loader):
        return setup
    return replace(setup, load=replace(setup.load, model=replace(setup.load.model, root=Path(folder))))


def _wait(answers: "Future[list[Any]]") -> None:
    try:
        answers.exception(_PATIENCE)
    except TimeoutError:
        return


def _said(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:_LONGEST]
