{{/* A quantity of Kubernetes, such as 500m or 4Gi, as a number. */}}
{{- define "facegate.quantity" -}}
{{- $factors := dict "" 1.0 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 -}}
{{- $text := toString . -}}
{{- $unit := regexFind "[kMGTPE]i?$|m$" $text -}}
{{- mulf (trimSuffix $unit $text | float64) (get $factors $unit) -}}
{{- end -}}

{{/* What cannot work is refused here, and not by a Pod that does not start. Every template begins with it, because Helm
does not say which one it renders first. */}}
{{- define "facegate.validate" -}}
{{- /* Helm leaves out what is set to null, the default too: here is what the templates need. */ -}}
{{- range splitList " " "commonLabels image image.pullPolicy imagePullSecrets replicaCount settings policies extraEnv extraVolumes extraVolumeMounts database database.key objects persistence persistence.size keys keys.tenants tls tls.device tls.service apiKeys apiKeys.key web web.hostnames console models models.source models.pack models.image models.size serviceAccount serviceAccount.annotations services services.device services.device.annotations services.service services.service.annotations gateway gateway.kind gateway.parentRefs gateway.hostnames ingress ingress.annotations certificate certificate.issuerRef certificate.deviceNames certificate.serviceNames externalSecrets externalSecrets.secrets externalSecrets.storeRef externalSecrets.refreshInterval autoscaling autoscaling.minReplicas autoscaling.maxReplicas autoscaling.cpuPercent podDisruptionBudget podDisruptionBudget.maxUnavailable topologySpreadConstraints nodeSelector tolerations affinity podAnnotations podLabels podSecurityContext securityContext resources gpu gpu.resource shutdown shutdown.preStopSeconds shutdown.drainSeconds networkPolicy networkPolicy.deviceFrom networkPolicy.serviceFrom networkPolicy.adminFrom networkPolicy.egress jobs jobs.activeDeadlineSeconds migration retention retention.schedule backup backup.schedule doctor doctor.schedule monitoring monitoring.interval monitoring.labels extraObjects" -}}
{{- $at := $.Values -}}
{{- range splitList "." . -}}
{{- $at = index $at . -}}
{{- end -}}
{{- if kindIs "invalid" $at -}}
{{- fail (printf "%s: it is null; leave it out, or set a value" .) -}}
{{- end -}}
{{- end -}}
{{- $several := include "facegate.several" . -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository: name the repository of the image that you built with deploy/Dockerfile; Facegate publishes none" -}}
{{- end -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$" (include "facegate.name" .)) -}}
{{- fail "nameOverride: use at most 63 lower-case letters, digits and hyphens; the first is a letter, and the last no hyphen" -}}
{{- end -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" (include "facegate.fullname" .)) -}}
{{- fail (printf "fullnameOverride: %q cannot be the name of a Service; use lower-case letters, digits and hyphens, the first a letter" (include "facegate.fullname" .)) -}}
{{- end -}}
{{- if and $several (not .Values.database.existingSecret) -}}
{{- fail "database.existingSecret: several replicas need PostgreSQL; name the Secret with its URL, or set replicaCount to 1 and autoscaling.enabled to false" -}}
{{- end -}}
{{- if and $several (not .Values.objects.url) -}}
{{- fail "objects.url: several replicas need an object store; set a URL such as s3://bucket/prefix, or run one replica" -}}
{{- end -}}
{{- if and (not .Values.persistence.enabled) (or (not .Values.database.existingSecret) (not .Values.objects.url)) -}}
{{- fail "persistence.enabled: SQLite and a folder of objects need a volume; enable it, or set database.existingSecret and objects.url" -}}
{{- end -}}
{{- if and $several .Values.persistence.enabled (not .Values.persistence.existingClaim) -}}
{{- fail "persistence.enabled: the claim that the chart makes is for one replica; several replicas keep nothing on a volume" -}}
{{- end -}}
{{- $sources := 0 -}}
{{- range list .Values.keys.existingSecret .Values.keys.existingClaim .Values.keys.persistence -}}
{{- if . -}}{{- $sources = add1 $sources -}}{{- end -}}
{{- end -}}
{{- if ne (int $sources) 1 -}}
{{- fail "keys: set exactly one of keys.existingSecret, keys.existingClaim and keys.persistence; without its keys the server cannot read its data" -}}
{{- end -}}
{{- if and $several .Values.keys.persistence -}}
{{- fail "keys.persistence: it is for one replica; share the keys by keys.existingSecret or keys.existingClaim" -}}
{{- end -}}
{{- if and .Values.keys.tenants (not .Values.keys.existingSecret) -}}
{{- fail "keys.tenants: they go with keys.existingSecret; on a volume put them into tenants/<name>" -}}
{{- end -}}
{{- range $tenant, $keys := .Values.keys.tenants -}}
{{- if not (and (kindIs "map" $keys) (dig "existingSecret" "" $keys) (dig "files" (list) $keys)) -}}
{{- fail (printf "keys.tenants.%s: name existingSecret, a Secret with the keys of the tenant, and list its files" $tenant) -}}
{{- end -}}
{{- end -}}
{{- if not .Values.certificate.enabled -}}
{{- if not .Values.tls.device.existingSecret -}}
{{- fail "tls.device.existingSecret: devices need TLS; name a Secret of type kubernetes.io/tls, or set certificate.enabled" -}}
{{- end -}}
{{- if not .Values.tls.service.existingSecret -}}
{{- fail "tls.service.existingSecret: backends need TLS; name a Secret of type kubernetes.io/tls, or set certificate.enabled" -}}
{{- end -}}
{{- else -}}
{{- if not .Values.certificate.issuerRef.name -}}
{{- fail "certificate.issuerRef: name the issuer of cert-manager" -}}
{{- end -}}
{{- if not .Values.certificate.deviceNames -}}
{{- fail "certificate.deviceNames: list the host names that devices connect to" -}}
{{- end -}}
{{- end -}}
{{- if not (or .Values.apiKeys.existingSecret .Values.tls.service.clientCaSecret (dig "listeners" "service" "oidc" "" .Values.settings)) -}}
{{- fail "apiKeys.existingSecret: backends must authenticate; name the Secret with the file of API keys, or tls.service.clientCaSecret for mutual TLS, or set settings.listeners.service.oidc" -}}
{{- end -}}
{{- if and (eq .Values.models.source "claim") (not .Values.models.existingClaim) -}}
{{- fail "models.existingClaim: name the claim with the models folder" -}}
{{- end -}}
{{- if and (eq .Values.models.source "image") (not (contains "@sha256:" .Values.models.image)) -}}
{{- fail "models.image: name the OCI artefact with the models by digest (repository@sha256:...)" -}}
{{- end -}}
{{- if and .Values.gateway.enabled .Values.ingress.enabled -}}
{{- fail "gateway.enabled, ingress.enabled: choose one of them" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) -}}
{{- fail "gateway.parentRefs: name the Gateway" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (eq .Values.gateway.kind "TLSRoute") (not .Values.gateway.hostnames) -}}
{{- fail "gateway.hostnames: a TLSRoute finds the server by name; list the host names that devices connect to" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (eq .Values.gateway.kind "GRPCRoute") (not (or .Values.gateway.backendHostname .Values.gateway.hostnames)) -}}
{{- fail "gateway.backendHostname: set the name in the server's certificate, by which the Gateway verifies it" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (eq .Values.gateway.kind "GRPCRoute") (not .Values.gateway.backendHostname) (hasPrefix "*" (first .Values.gateway.hostnames)) -}}
{{- fail "gateway.backendHostname: the first of gateway.hostnames stands for many names; set the one in the server's certificate" -}}
{{- end -}}
{{- $routed := or .Values.gateway.enabled .Values.ingress.enabled -}}
{{- if and .Values.web.enabled $routed (not .Values.web.hostnames) -}}
{{- fail "web.hostnames: list the host names that pages connect to, other than those of devices" -}}
{{- end -}}
{{- range .Values.web.hostnames -}}
{{- if and $routed (has . (append $.Values.gateway.hostnames $.Values.ingress.host)) -}}
{{- fail (printf "web.hostnames: %s leads to the device listener; give pages a host name of their own" .) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress.host: name the host that devices connect to" -}}
{{- end -}}
{{- if and .Values.externalSecrets.secrets (not .Values.externalSecrets.storeRef.name) -}}
{{- fail "externalSecrets.storeRef: name the store" -}}
{{- end -}}
{{- /* At an upgrade too: `helm template`, and with it Argo CD, cannot tell one from an installation. */ -}}
{{- if and .Values.migration.enabled .Values.database.existingSecret (hasKey .Values.externalSecrets.secrets .Values.database.existingSecret) -}}
{{- fail "externalSecrets.secrets: the migration runs before the chart's objects exist, so it would wait for the database's Secret in vain; make that ExternalSecret yourself, or set migration.enabled to false and run facegate db upgrade in a Pod" -}}
{{- end -}}
{{- if and .Values.backup.enabled (not .Values.backup.existingClaim) -}}
{{- fail "backup.existingClaim: name the claim that backups are written to" -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.egress) (or .Values.database.existingSecret .Values.objects.url (eq .Values.models.source "pull")) -}}
{{- fail "networkPolicy.egress: everything is denied but DNS; allow the database, the object store and the source of models, or disable the policy" -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled .Values.monitoring.serviceMonitor (not .Values.networkPolicy.adminFrom) -}}
{{- fail "networkPolicy.adminFrom: it keeps Prometheus out; list its Pods or namespace" -}}
{{- end -}}
{{- if .Values.autoscaling.enabled -}}
{{- if or (lt (int .Values.autoscaling.minReplicas) 1) (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas: set it to 1 or more, and to autoscaling.maxReplicas at most" -}}
{{- end -}}
{{- end -}}
{{- $pack := default "embedded" .Values.settings.pack -}}
{{- if ne .Values.models.source "none" -}}
{{- if hasKey .Values.settings "pack" -}}
{{- fail "settings.pack: set models.pack, or models.source to none" -}}
{{- end -}}
{{- if eq .Values.models.pack "embedded" -}}
{{- fail "models.source: the pack embedded needs no files; set it to none" -}}
{{- end -}}
{{- else if not (or (eq $pack "embedded") (contains ":" $pack)) -}}
{{- fail (printf "models.source: nothing provides the pack %s; set it to pull, image or claim, and models.pack instead of settings.pack" $pack) -}}
{{- end -}}
{{- range $value, $labels := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels "monitoring.labels" .Values.monitoring.labels -}}
{{- range $key, $_ := $labels -}}
{{- if or (hasPrefix "app.kubernetes.io/" $key) (eq "helm.sh/chart" $key) -}}
{{- fail (printf "%s: the chart sets %s itself, and selects by it; leave it out" $value $key) -}}
{{- end -}}
{{- if and (eq $value "monitoring.labels") (or (hasKey $.Values.commonLabels $key) (eq $key "grafana_dashboard")) -}}
{{- fail (printf "monitoring.labels: %s is set already; leave it out" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- /* What the chart wires itself: another value in the settings would contradict its objects, or put a secret into a ConfigMap. */ -}}
{{- $wired := dict
  "data_dir" "it is on the volume of `persistence`"
  "models_dir" "see `models`"
  "drain_seconds" "set `shutdown.drainSeconds`"
  "keys.folder" "see `keys`"
  "policies.folder" "set `policies`"
  "storage.database_url" "set `database.existingSecret`; a ConfigMap holds no secret"
  "storage.objects_url" "set `objects.url`"
  "listeners.device.host" "the chart sets it" "listeners.device.port" "the chart sets it" "listeners.device.tls" "set `tls.device`"
  "listeners.service.host" "the chart sets it" "listeners.service.port" "the chart sets it" "listeners.service.tls" "set `tls.service`"
  "listeners.service.api_keys_file" "set `apiKeys`"
  "listeners.admin" "the chart sets it"
  "listeners.web.host" "the chart sets it" "listeners.web.port" "the chart sets it" "listeners.web.tls" "set `tls.device`"
  "listeners.console.host" "the chart sets it" "listeners.console.port" "the chart sets it" "listeners.console.tls" "set `tls.service`" -}}
{{- range $path, $instead := $wired -}}
{{- $at := $.Values.settings -}}
{{- $set := true -}}
{{- range splitList "." $path -}}
{{- if and $set (kindIs "map" $at) (hasKey $at .) -}}{{- $at = index $at . -}}{{- else -}}{{- $set = false -}}{{- end -}}
{{- end -}}
{{- if $set -}}
{{- fail (printf "settings.%s: %s" $path $instead) -}}
{{- end -}}
{{- end -}}
{{- range $number, $entry := .Values.extraEnv -}}
{{- $name := upper $entry.name -}}
{{- range $other := slice $.Values.extraEnv (add1 $number) -}}
{{- if eq $other.name $entry.name -}}
{{- fail (printf "extraEnv: %s is there twice; leave one out" $entry.name) -}}
{{- end -}}
{{- end -}}
{{- if has $name (list "FACEGATE_CONFIG" "POD_NAME") -}}
{{- fail (printf "extraEnv: the chart sets %s itself; leave it out" $entry.name) -}}
{{- end -}}
{{- range $path, $instead := set $wired "pack" "set `models.pack`" -}}
{{- $variable := printf "FACEGATE_%s" ($path | replace "." "__" | upper) -}}
{{- if or (eq $name $variable) (hasPrefix (printf "%s__" $variable) $name) (hasPrefix (printf "%s__" $name) $variable) -}}
{{- fail (printf "extraEnv: leave %s out; %s" $entry.name $instead) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $resource, $limit := .Values.resources.limits -}}
{{- $request := dig "requests" $resource "" $.Values.resources -}}
{{- if and (not (kindIs "invalid" $limit)) (ne (toString $request) "") (lt (include "facegate.quantity" $limit | float64) (include "facegate.quantity" $request | float64)) -}}
{{- fail (printf "resources.limits.%s: %v is less than the request of %v; raise it" $resource $limit $request) -}}
{{- end -}}
{{- end -}}
{{- range $resource, $request := .Values.resources.requests -}}
{{- if and (or (contains "/" $resource) (hasPrefix "hugepages-" $resource)) (ne (toString $request) (toString (dig "limits" $resource "" $.Values.resources))) -}}
{{- fail (printf "resources.requests.%s: it is not shared; set the same under limits" $resource) -}}
{{- end -}}
{{- end -}}
{{- $volumes := dict -}}
{{- if .Values.backup.enabled -}}{{- $_ := set $volumes "backup" "" -}}{{- end -}}
{{- range include "facegate.volumes" . | fromYamlArray -}}
{{- if hasKey $volumes .name -}}
{{- fail (printf "extraVolumes: %s is there twice, or the chart's own; give each a name of its own" .name) -}}
{{- end -}}
{{- $_ := set $volumes .name "" -}}
{{- end -}}
{{- $paths := dict -}}
{{- range include "facegate.mounts" . | fromYamlArray -}}
{{- if not (hasKey $volumes .name) -}}
{{- fail (printf "extraVolumeMounts: no volume is named %s; list it in extraVolumes" .name) -}}
{{- end -}}
{{- if hasKey $paths .mountPath -}}
{{- fail (printf "extraVolumeMounts: something is mounted at %s already; choose another path" .mountPath) -}}
{{- end -}}
{{- $_ := set $paths .mountPath "" -}}
{{- end -}}
{{- if lt (int .Values.shutdown.drainSeconds) 181 -}}
{{- fail "shutdown.drainSeconds: a scan may take 180 seconds; wait longer" -}}
{{- end -}}
{{- $policies := dict -}}
{{- range $name, $content := .Values.policies -}}
{{- if hasSuffix ".toml" $name -}}
{{- fail (printf "policies: leave .toml out of %s; the chart appends it" $name) -}}
{{- end -}}
{{- if not (regexMatch "^[A-Za-z0-9][-A-Za-z0-9_.]{0,62}$" $name) -}}
{{- fail (printf "policies: %q cannot be the name of a file; use letters, digits, hyphens, underscores and dots" $name) -}}
{{- end -}}
{{- if not (kindIs "string" $content) -}}
{{- fail (printf "policies: write the content of %s as text, after a |" $name) -}}
{{- end -}}
{{- $policy := fromToml $content -}}
{{- with $policy.Error -}}
{{- fail (printf "policies: %s is no TOML: %s; correct it, and try `facegate policy show`" $name .) -}}
{{- end -}}
{{- if not (and $policy.name $policy.version) -}}
{{- fail (printf "policies: %s lacks name or version; set both at its top" $name) -}}
{{- end -}}
{{- if not (regexMatch "^[a-z][a-z0-9_-]{0,63}$" (toString $policy.name)) -}}
{{- fail (printf "policies: %s names its policy %q; use at most 64 lower-case letters, digits, hyphens and underscores, the first a letter" $name (toString $policy.name)) -}}
{{- end -}}
{{- if hasKey $policies (toString $policy.name) -}}
{{- fail (printf "policies: %s and %s have the same name; rename one" (get $policies (toString $policy.name)) $name) -}}
{{- end -}}
{{- $_ := set $policies (toString $policy.name) $name -}}
{{- $deadlines := default (dict) $policy.deadlines -}}
{{- if ge (float64 (default 0 $deadlines.scan_seconds)) (float64 $.Values.shutdown.drainSeconds) -}}
{{- fail (printf "shutdown.drainSeconds: a scan of the policy %s may take as long; wait longer" $name) -}}
{{- end -}}
{{- end -}}
{{- if ne .Values.console.enabled (hasKey (default (dict) .Values.settings.listeners) "console") -}}
{{- fail "console.enabled: set it together with settings.listeners.console, which has origin and oidc" -}}
{{- end -}}
{{- $listeners := default (dict) .Values.settings.listeners -}}
{{- $web := default (dict) $listeners.web -}}
{{- if and (hasKey $listeners "web") (not .Values.web.enabled) -}}
{{- fail "web.enabled: set it to true, or leave settings.listeners.web out" -}}
{{- end -}}
{{- if and .Values.web.enabled (not $web.hosted) (not (dig "device_integrity" "web" "origins" (list) .Values.settings)) -}}
{{- fail "web.enabled: list the pages in settings.device_integrity.web.origins, with rp_id, or set settings.listeners.web.hosted" -}}
{{- end -}}
{{- with $web.hosted -}}
{{- $host := regexReplaceAll "^https?://|:[0-9]+$" (toString .origin) "" -}}
{{- if and $routed (not (has $host $.Values.web.hostnames)) (not (has (regexReplaceAll "^[^.]+" $host "*") $.Values.web.hostnames)) -}}
{{- fail (printf "settings.listeners.web.hosted.origin: nothing leads %s to the web listener; list it in web.hostnames" $host) -}}
{{- end -}}
{{- end -}}
{{- range $name, $listener := dict "web" $web "console" (default (dict) $listeners.console) -}}
{{- if and $listener.proxy_protocol (not $listeners.trusted_proxies) -}}
{{- fail (printf "settings.listeners.%s.proxy_protocol: set settings.listeners.trusted_proxies to the networks of the proxies that send the header, or remove it" $name) -}}
{{- end -}}
{{- end -}}
{{- range $listeners.trusted_proxies -}}
{{- if not (regexMatch "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$" .) -}}
{{- fail (printf "settings.listeners.trusted_proxies: %q is no network; write one such as 10.0.0.0/24" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
