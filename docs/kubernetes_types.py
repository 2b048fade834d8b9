"""What Kubernetes takes in the parts of its objects that the chart passes on, for ``values.schema.json``.

The types are those of Kubernetes' own definitions. Patterns, choices and ranges, which those lack, are those
of its validation (pkg/apis/core/validation and k8s.io/apimachinery/pkg/util/validation). A field that is not
known here is left to the cluster, which may be newer.
"""

import json
import re
from importlib.resources import files
from typing import Any, Final

_RELEASE: Final = "v1.37.0-local"
_GROUPS: Final = ("io.k8s.api.core.v1.", "io.k8s.api.networking.v1.", "io.k8s.apimachinery.pkg.apis.meta.v1.")
_REFERENCE: Final = re.compile(r'"#/\$defs/kubernetes\.(\w+)"')
_INNER: Final = ("items", "additionalProperties")
_LABEL: Final = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_DOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_WORD: Final = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_MOST: Final = 2**31 - 1


def text(pattern: str) -> dict[str, Any]:
    """The form of a text that matches as a whole."""
    return {"type": "string", "pattern": f"^({pattern})$"}


def choice(*texts: str) -> dict[str, Any]:
    """The form of one of these texts."""
    return {"enum": list(texts)}


def number(least: int, most: int = _MOST) -> dict[str, Any]:
    """The form of an integer in a range."""
    return {"type": "integer", "minimum": least, "maximum": most}


def items(form: dict[str, Any]) -> dict[str, Any]:
    """The form of a list; null is no item."""
    return {"type": "array", "items": form}


def table(keys: dict[str, Any], form: dict[str, Any]) -> dict[str, Any]:
    """The form of a table with such keys; unlike ``propertyNames``, it names the place of a wrong one."""
    return {"type": "object", "patternProperties": {keys["pattern"]: form}, "additionalProperties": False}


def reference(name: str) -> dict[str, Any]:
    """The form of an object of Kubernetes, such as ``Toleration``, that is not null."""
    return {"$ref": f"#/$defs/kubernetes.{name}", "type": "object"}


NAME: Final = {**text(_DOMAIN), "maxLength": 253}
OPTIONAL_NAME: Final = {**text(f"({_DOMAIN})?"), "maxLength": 253}
SHORT_NAME: Final = text(_LABEL)
HOST: Final = {**text(rf"((\*\.)?{_DOMAIN})?"), "maxLength": 253}
QUALIFIED: Final = text(f"({_DOMAIN}/)?{_WORD}")
FILE: Final = text(r"\.?[-A-Za-z0-9_][-A-Za-z0-9_.]{0,251}")
LABELS: Final = table(QUALIFIED, text(f"({_WORD})?"))
ANNOTATIONS: Final = table(text(f"([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?/)?{_WORD}"), {"type": "string"})
QUANTITY: Final = {
    "type": ["string", "number"],
    "minimum": 0,
    "pattern": r"^[0-9]+(\.[0-9]+)?([eE][0-9]+|m|[kMGTPE]|[KMGTPE]i)?$",
}
PORT: Final = number(1, 65535)
_NAMED_PORT: Final = {
    "type": ["integer", "string"],
    "minimum": 1,
    "maximum": 65535,
    "pattern": "^[a-z0-9-]*[a-z][a-z0-9-]*$",
    "maxLength": 15,
}
_OCTET: Final = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_ADDRESSES: Final = (
    rf"({_OCTET}\.){{3}}{_OCTET}/(3[0-2]|[12]?[0-9])|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/1?[0-9]?[0-9]"
)
_QUANTITIES: Final = table(
    text(f"cpu|memory|storage|ephemeral-storage|hugepages-.+|{_DOMAIN}/{_WORD}"), QUANTITY
)
_LABEL_TEXTS: Final = items(text(f"({_WORD})?"))
_MODE: Final = number(0, 0o777)
_ID: Final = number(0)
_PROFILE: Final = choice("RuntimeDefault", "Unconfined", "Localhost")
_KEPT: Final = choice("Honor", "Ignore")
_SELECTS: Final = ("In", "NotIn", "Exists", "DoesNotExist")
_PART: Final = r"([^/.][^/]*|\.([^/.][^/]*)?|\.\.[^/]+)"
_BELOW: Final = text(f"({_PART}(/{_PART}?)*)?")
# By a field of an object, or of any object; the last that fits is taken.
_FORMS: Final[dict[str, dict[str, Any]]] = {
    "claimName": NAME,
    "defaultMode": _MODE,
    "effect": choice("", "NoSchedule", "PreferNoSchedule", "NoExecute"),
    "endPort": PORT,
    "fsGroup": _ID,
    "labels": LABELS,
    "limits": _QUANTITIES,
    "matchLabels": LABELS,
    "mode": _MODE,
    "namespaces": items(SHORT_NAME),
    "port": _NAMED_PORT,
    "protocol": choice("TCP", "UDP", "SCTP"),
    "pullPolicy": choice("Always", "IfNotPresent", "Never"),
    "requests": _QUANTITIES,
    "runAsGroup": _ID,
    "runAsUser": _ID,
    "secretName": NAME,
    "storageClassName": OPTIONAL_NAME,
    "supplementalGroups": items(_ID),
    "topologyKey": QUALIFIED,
    "weight": number(1, 100),
    "AppArmorProfile.type": _PROFILE,
    "ConfigMapKeySelector.key": FILE,
    "ConfigMapKeySelector.name": NAME,
    "ConfigMapProjection.name": NAME,
    "ConfigMapVolumeSource.name": NAME,
    "EmptyDirVolumeSource.medium": text("|Memory|HugePages(-.+)?"),
    "EmptyDirVolumeSource.sizeLimit": QUANTITY,
    "EnvVar.name": text("[ -<>-~]+"),
    "HostPathVolumeSource.type": choice(
        "", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"
    ),
    "IPBlock.cidr": text(_ADDRESSES),
    "IPBlock.except": items(text(_ADDRESSES)),
    "KeyToPath.key": FILE,
    "KeyToPath.path": {**_BELOW, "minLength": 1},
    "LabelSelectorRequirement.key": QUALIFIED,
    "LabelSelectorRequirement.operator": choice(*_SELECTS),
    "LabelSelectorRequirement.values": _LABEL_TEXTS,
    "LocalObjectReference.name": NAME,
    "NodeSelectorRequirement.key": QUALIFIED,
    "NodeSelectorRequirement.operator": choice(*_SELECTS, "Gt", "Lt"),
    "NodeSelectorRequirement.values": _LABEL_TEXTS,
    "PersistentVolumeClaimSpec.accessModes": items(
        choice("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
    ),
    "PersistentVolumeClaimSpec.volumeMode": choice("Filesystem", "Block"),
    "PodSecurityContext.fsGroupChangePolicy": choice("Always", "OnRootMismatch"),
    "PodSecurityContext.seLinuxChangePolicy": choice("Recursive", "MountOption"),
    "PodSecurityContext.supplementalGroupsPolicy": choice("Merge", "Strict"),
    "ResourceFieldSelector.divisor": QUANTITY,
    "SeccompProfile.type": _PROFILE,
    "SecretKeySelector.key": FILE,
    "SecretKeySelector.name": NAME,
    "SecretProjection.name": NAME,
    "SecurityContext.procMount": choice("Default", "Unmasked"),
    "ServiceAccountTokenProjection.expirationSeconds": number(600, 2**32),
    "Toleration.key": text(f"(({_DOMAIN}/)?{_WORD})?"),
    "Toleration.operator": choice("", "Exists", "Equal", "Lt", "Gt"),
    "Toleration.value": text(f"({_WORD})?"),
    "TopologySpreadConstraint.maxSkew": number(1),
    "TopologySpreadConstraint.minDomains": number(1),
    "TopologySpreadConstraint.nodeAffinityPolicy": _KEPT,
    "TopologySpreadConstraint.nodeTaintsPolicy": _KEPT,
    "TopologySpreadConstraint.whenUnsatisfiable": choice("DoNotSchedule", "ScheduleAnyway"),
    "Volume.name": SHORT_NAME,
    "VolumeMount.mountPath": text("[^:]+"),
    "VolumeMount.mountPropagation": choice("None", "HostToContainer", "Bidirectional"),
    "VolumeMount.name": SHORT_NAME,
    "VolumeMount.recursiveReadOnly": choice("Disabled", "IfPossible", "Enabled"),
    "VolumeMount.subPath": _BELOW,
    "VolumeMount.subPathExpr": _BELOW,
}
# What Kubernetes' validation requires beyond its definitions.
_REQUIRED: Final = {
    "ConfigMapKeySelector": ["name", "key"],
    "ConfigMapProjection": ["name"],
    "ConfigMapVolumeSource": ["name"],
    "LocalObjectReference": ["name"],
    "SecretKeySelector": ["name", "key"],
    "SecretProjection": ["name"],
    "SecretVolumeSource": ["secretName"],
}


def definitions(roots: set[str]) -> dict[str, dict[str, Any]]:
    """Return the definitions that these reach, such as ``Toleration``, by the names in ``reference``."""
    folder = files("kubernetes_validate").joinpath("kubernetes-json-schema", _RELEASE)
    plain: dict[str, dict[str, Any]] = json.loads(folder.joinpath("_definitions.json").read_text())["$defs"]
    known = {_short(name): form for name, form in plain.items() if name.startswith(_GROUPS)}
    waiting = sorted(roots)
    found: dict[str, dict[str, Any]] = {}
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _form(name, known[name])
            waiting += _REFERENCE.findall(json.dumps(found[name]))
    return {f"kubernetes.{name}": found[name] for name in sorted(found)}


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _form(name: str, plain: dict[str, Any]) -> dict[str, Any]:
    form: dict[str, Any] = {key: plain[key] for key in ("type", "required") if key in plain}
    if name in _REQUIRED:
        form["required"] = _REQUIRED[name]
    fields = {
        field: _field(
            inner, _FORMS.get(f"{name}.{field}", _FORMS.get(field, {})), field in form.get("required", [])
        )
        for field, inner in plain.get("properties", {}).items()
    }
    return {**form, "properties": fields} if fields else form


def _field(plain: dict[str, Any], narrow: dict[str, Any], required: bool) -> dict[str, Any]:
    """Return the form of a field. Null is as good as none, but no item of a list or a table."""
    form: dict[str, Any] = {**_type(plain), **{key: _item(plain[key]) for key in _INNER if key in plain}}
    if "$ref" in form and narrow:
        form = {}
    form |= narrow
    if required or "$ref" in form:
        return form
    if "enum" in form:
        return {"enum": [*form["enum"], None]}
    types = form["type"] if isinstance(form["type"], list) else [form["type"]]
    return form | {"type": [*(each for each in types if each != "null"), "null"]}


def _item(plain: dict[str, Any]) -> dict[str, Any]:
    form = _type(plain)
    return form | {"type": "object" if "$ref" in form else form["type"][0]}


def _type(plain: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in plain:
        return {"$ref": f"#/$defs/kubernetes.{_short(plain['$ref'])}"}
    return {"type": plain["type"]}
