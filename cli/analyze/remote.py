"""Analyses by a server, through the public client."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from facegate.v1 import analysis_service_pb2, result_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from cli.analyze.analyser import INVALID_REQUEST, unreadable
from cli.analyze.explained import ExplainedFile
from cli.analyze.files import read_media
from cli.analyze.finding import Attack, FileKind, FileReport, FileVerdict, Problem, Thresholds, blank_finding
from cli.analyze.kinds import kind_of
from cli.analyze.options import AnalysisDepth, ServerOptions
from cli.connection import certificate_explained
from cli.errors import FileUnusable, ServerUnusable
from cli.shown import shown_name
from cli.verdict import enum_word
from cli.words import describe_lost_connection, describe_refusal
from facegate_client import (
    AnalysisClient,
    ApiKey,
    CallRefusedError,
    ConnectionFailedError,
    ServerError,
    TlsSettings,
    is_loopback,
    open_channel,
)
from liveness import AttackType, Signal, Verdict
from liveness.selfie import INCONCLUSIVE_MARGIN
from server.analysis.results import ATTACK_CODES
from server.analysis.stills import FRAME_LIMITS

__all__ = ["RemoteAnalyser"]

_Answer = TypeVar("_Answer")

_PERCENT: Final = 100.0
_CODE: Final = "code"
_MODES: Final = {
    AnalysisDepth.BASIC: analysis_service_pb2.ANALYSIS_MODE_BASIC,
    AnalysisDepth.FULL: analysis_service_pb2.ANALYSIS_MODE_FULL,
}


class RemoteAnalyser:
    """Lets a server analyse files; see ``cli.analyze.analyser.Analyser``."""

    def __init__(self, options: ServerOptions, *, mode: AnalysisDepth) -> None:
        """Creates the analyser without a connection.

        Args:
            options: The server.
            mode: Depth of the analysis of an image.
        """
        self._options = options
        self._mode = mode
        self._runner = asyncio.Runner()
        self._open = AsyncExitStack()
        self._client: AnalysisClient | None = None

    def __enter__(self) -> Self:
        """Opens the channel.

        Raises:
            ServerUnusable: A file of the credentials cannot be read.
            CredentialsError: The credentials cannot be used.
        """
        try:
            self._client = self._runner.run(self._connected())
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the channel."""
        try:
            self._runner.run(self._open.aclose())
        finally:
            self._runner.close()

    def analyse(self, file: Path) -> ExplainedFile:
        """See ``Analyser.analyse``.

        Raises:
            ServerUnusable: The server refuses the call for a reason beyond the file, or is not reached.
        """
        blank = blank_finding((file,))
        try:
            content = read_media(file)
        except FileUnusable as error:
            return _refused(blank, Problem(INVALID_REQUEST, str(error)))
        kind = kind_of(content)
        problem = unreadable(content, kind)
        if problem is not None:
            return _refused(blank, problem)
        blank = replace(blank, kind=kind)
        try:
            if kind is FileKind.VIDEO:
                return _of_video(blank, self._ask(lambda client: client.analyze_video(content)))
            mode = _MODES[self._mode]
            return _of_image(blank, self._ask(lambda client: client.analyze_image(content, mode=mode)))
        except CallRefusedError as error:
            return _refused(blank, _about_file(error.refusal))

    def analyse_stills(self, files: Sequence[Path]) -> ExplainedFile:
        """See ``Analyser.analyse_stills``; raises as ``analyse`` does."""
        blank = replace(blank_finding(tuple(files)), kind=FileKind.STILLS)
        try:
            frames = [read_media(file, FRAME_LIMITS.max_bytes) for file in files]
        except FileUnusable as error:
            return _refused(blank, Problem(INVALID_REQUEST, str(error)))
        try:
            return _of_video(blank, self._ask(lambda client: client.analyze_frames(frames)))
        except CallRefusedError as error:
            return _refused(blank, _about_file(error.refusal))

    def _ask(self, call: Callable[[AnalysisClient], Coroutine[Any, Any, _Answer]]) -> _Answer:
        if self._client is None:
            raise RuntimeError("the analyser must be used in its context")
        options, client = self._options, self._client

        async def answer() -> _Answer:
            files = {"ca": options.ca, "certificate": options.cert, "key": options.key}
            async with certificate_explained(options.target, **files):
                return await call(client)

        try:
            return self._runner.run(answer())
        except ConnectionFailedError as error:
            raise ServerUnusable(_in_one_line(describe_lost_connection(error))) from error

    async def _connected(self) -> AnalysisClient:
        options = self._options
        key = None
        if options.api_key_file is not None:
            key = ApiKey(_read(options.api_key_file, "the API key").decode("ascii", "replace").strip())
        channel = open_channel(options.target, tls=_tls(options))
        await self._open.enter_async_context(channel)
        return AnalysisClient(channel=channel, api_key=key)


def _tls(options: ServerOptions) -> TlsSettings | None:
    """Returns TLS settings if options request TLS or the target is another computer; else None."""
    mutual = options.cert is not None or options.key is not None
    if options.ca is None and not mutual and is_loopback(options.target):
        return None
    return TlsSettings(
        root_certificates=None if options.ca is None else _read(options.ca, "the authorities"),
        client_certificate=None if options.cert is None else _read(options.cert, "the certificate"),
        client_key=None if options.key is None else _read(options.key, "the private key"),
    )


def _read(path: Path, content: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ServerUnusable(f"{content} at {shown_name(path)} cannot be read: {error.strerror}") from error


def _about_file(refusal: ServerError) -> Problem:
    """Returns the problem of the file.

    Raises:
        ServerUnusable: The server refuses the call for a reason other than the file.
    """
    code = refusal.metadata.get(_CODE)
    if code is None:
        raise ServerUnusable(_in_one_line(describe_refusal(refusal))) from None
    return Problem(code, refusal.message, reason=refusal.reason)


def _in_one_line(text: str) -> str:
    """The command escapes line breaks, because a file's name can contain some."""
    return ". ".join(line.strip().removesuffix(".") for line in text.splitlines()) + "."


def _of_image(blank: FileReport, response: analysis_service_pb2.AnalyzeImageResponse) -> ExplainedFile:
    """Raises ServerUnusable if the response breaks the contract."""
    blank = replace(blank, request_id=response.request_id, finished=_moment(response.timestamp))
    if not response.HasField("result"):
        return ExplainedFile(
            finding=replace(blank, problem=Problem(response.error.code, response.error.message))
        )
    result = response.result
    finding = replace(
        blank,
        selfie=FileVerdict(
            verdict=_verdict(result.verdict),
            confidence=result.confidence,
            thresholds=Thresholds(
                spoof=result.threshold - INCONCLUSIVE_MARGIN,
                live=result.threshold + INCONCLUSIVE_MARGIN,
                stated=result.threshold,
            ),
            signals=tuple(
                Signal(
                    name=each.name,
                    label=each.label,
                    score=each.score,
                    weight=each.weight,
                    passed=each.passed,
                    detail=each.detail,
                )
                for each in result.signals
            ),
        ),
        face_detected=result.face_detected,
        fusion=_of_liveness(response.full.liveness) if response.HasField("full") else None,
        facts=_facts(response.pack),
        assessment=response.assessment,
    )
    return ExplainedFile(finding=finding)


def _of_video(blank: FileReport, response: analysis_service_pb2.AnalyzeVideoResponse) -> ExplainedFile:
    """Raises ServerUnusable if the response breaks the contract."""
    video = response.video
    facts = {"frames": f"{video.frames} analysed, {video.usable_frames} with exactly one face"}
    if video.media_type:
        facts = {"container": video.media_type} | facts
    finding = replace(
        blank,
        request_id=response.inference_id,
        inference_id=response.inference_id,
        started=_moment(response.created_at),
        finished=_moment(response.completed_at),
        fusion=_of_liveness(response.liveness),
        face_detected=True,
        facts=facts | _facts(response.pack),
        assessment=response.assessment,
        values={
            "media_type": video.media_type,
            "frames": video.frames,
            "usable_frames": video.usable_frames,
            "seconds": video.seconds if video.HasField("seconds") else None,
            "other_size_frames": video.other_size_frames,
            "complete": video.complete,
            "repeated_frames": video.repeated_frames,
        },
    )
    return ExplainedFile(finding=finding)


def _of_liveness(result: result_pb2.LivenessResult) -> FileVerdict:
    word = enum_word(result_pb2.AttackType.Name, result.attack_type, "ATTACK_TYPE_")
    try:
        kind = AttackType(word)
    except ValueError as error:
        raise ServerUnusable(
            "the server's response has an attack type that this version does not know"
        ) from error
    return FileVerdict(
        verdict=_verdict(enum_word(result_pb2.LivenessVerdict.Name, result.verdict, "LIVENESS_VERDICT_")),
        confidence=result.confidence / _PERCENT,
        thresholds=None,
        signals=tuple(_signals(result.signals)),
        attack=Attack(
            number=ATTACK_CODES[kind],
            name=kind.value.lower(),
            confidence=result.attack_type_confidence / _PERCENT,
        ),
        explanations=tuple(result.explanations),
    )


def _signals(signals: Iterable[result_pb2.Signal]) -> Iterable[Signal]:
    for each in signals:
        yield Signal(
            name=each.name,
            label=each.label,
            score=each.score if each.HasField("score") else None,
            weight=each.weight,
            passed=each.passed if each.HasField("passed") else None,
            detail=each.detail,
        )


def _verdict(word: str) -> Verdict:
    try:
        return Verdict(word)
    except ValueError as error:
        raise ServerUnusable("the server's response has a verdict that this version does not know") from error


def _facts(pack: result_pb2.PackReference) -> dict[str, str]:
    return {"pack of the server": f"{pack.name} {pack.version}"}


def _moment(time: Timestamp) -> datetime:
    return time.ToDatetime(UTC)


def _refused(blank: FileReport, problem: Problem) -> ExplainedFile:
    return ExplainedFile(finding=replace(blank, problem=problem, finished=datetime.now(UTC)))
