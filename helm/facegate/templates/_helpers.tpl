{{- define "facegate.name" -}}
{{- default .Chart.Name .Values.nameOverride -}}
{{- end -}}

{{/* At most 41 characters, because objects append to it. The hash keeps two long names apart. */}}
{{- define "facegate.fullname" -}}
{{- $name := default (printf "%s-%s" .Release.Name (include "facegate.name" .)) .Values.fullnameOverride -}}
{{- if and (not .Values.fullnameOverride) (contains .Chart.Name .Release.Name) -}}
{{- $name = .Release.Name -}}
{{- end -}}
{{- if gt (len $name) 41 -}}
{{- $name = printf "%s-%s" ($name | trunc 32 | trimSuffix "-") ($name | sha256sum | trunc 8) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* Whatever the release runs; with a component: one of its workloads. */}}
{{- define "facegate.release" -}}
app.kubernetes.io/name: {{ include "facegate.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "facegate.selector" -}}
{{ include "facegate.release" . }}
app.kubernetes.io/component: server
{{- end -}}

{{- define "facegate.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "facegate.release" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of the Pods of a job. */}}
{{- define "facegate.jobLabels" -}}
{{ include "facegate.release" .root }}
app.kubernetes.io/component: {{ .name }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "facegate.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "facegate.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "facegate.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "facegate.tlsSecret.device" -}}
{{- if .Values.certificate.enabled -}}{{ include "facegate.fullname" . }}-device-tls{{- else -}}{{ .Values.tls.device.existingSecret }}{{- end -}}
{{- end -}}

{{- define "facegate.tlsSecret.service" -}}
{{- if .Values.certificate.enabled -}}{{ include "facegate.fullname" . }}-service-tls{{- else -}}{{ .Values.tls.service.existingSecret }}{{- end -}}
{{- end -}}

{{- define "facegate.several" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) -}}true{{- end -}}
{{- end -}}

{{/* The settings file: what the chart knows, and what `settings` sets over it. */}}
{{- define "facegate.settings" -}}
{{- $device := dict "host" "0.0.0.0" "port" 8443 "tls" (dict "certificate" "/etc/facegate/tls/device/tls.crt" "key" "/etc/facegate/tls/device/tls.key") -}}
{{- $serviceTls := dict "certificate" "/etc/facegate/tls/service/tls.crt" "key" "/etc/facegate/tls/service/tls.key" -}}
{{- if .Values.tls.service.clientCaSecret -}}
{{- $_ := set $serviceTls "client_ca" "/etc/facegate/tls/clients/ca.crt" -}}
{{- end -}}
{{- $service := dict "host" "0.0.0.0" "port" 8444 "tls" $serviceTls -}}
{{- if .Values.apiKeys.existingSecret -}}
{{- $_ := set $service "api_keys_file" (printf "/etc/facegate/api-keys/%s" .Values.apiKeys.key) -}}
{{- end -}}
{{- $listeners := dict "device" $device "service" $service "admin" (dict "host" "0.0.0.0" "port" 8445 "trusted_network" true) -}}
{{- if .Values.web.enabled -}}
{{- $_ := set $listeners "web" (dict "host" "0.0.0.0" "port" 8446 "tls" (get $device "tls")) -}}
{{- end -}}
{{- if .Values.console.enabled -}}
{{- $_ := set $listeners "console" (dict "host" "0.0.0.0" "port" 8447 "tls" (dict "certificate" (index $serviceTls "certificate") "key" (index $serviceTls "key"))) -}}
{{- end -}}
{{- $settings := dict
  "data_dir" "/var/lib/facegate"
  "drain_seconds" (int .Values.shutdown.drainSeconds)
  "listeners" $listeners
  "keys" (dict "folder" "/var/lib/facegate-keys") -}}
{{- if ne .Values.models.source "none" -}}
{{- $_ := set $settings "pack" .Values.models.pack -}}
{{- $_ := set $settings "models_dir" "/srv/models" -}}
{{- end -}}
{{- if .Values.objects.url -}}
{{- $_ := set $settings "storage" (dict "objects_url" .Values.objects.url) -}}
{{- end -}}
{{- if .Values.policies -}}
{{- $_ := set $settings "policies" (dict "folder" "/etc/facegate/policies") -}}
{{- end -}}
{{- if .Values.gpu.enabled -}}
{{- $_ := set $settings "runtime" (dict "providers" "cuda") -}}
{{- end -}}
{{- $merged := mergeOverwrite $settings (deepCopy .Values.settings) -}}
{{- /* Numbers of values are floating-point numbers, and TOML distinguishes them. */ -}}
{{- regexReplaceAll "(?m)^( *[A-Za-z0-9_-]+ = -?[0-9]+)\\.0$" (toToml $merged) "${1}" -}}
{{- end -}}

{{- define "facegate.environment" -}}
- name: FACEGATE_CONFIG
  value: /etc/facegate/facegate.toml
{{- if .Values.database.existingSecret }}
- name: FACEGATE_STORAGE__DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.database.existingSecret | quote }}
      key: {{ .Values.database.key | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "facegate.environmentFrom" -}}
{{- if .Values.objects.existingSecret }}
envFrom:
  - secretRef:
      name: {{ .Values.objects.existingSecret | quote }}
{{- end }}
{{- end -}}

{{/* What every Pod has in common. `besideServer`: it mounts a volume that only one node can mount. */}}
{{- define "facegate.pod" -}}
{{- $values := .root.Values -}}
enableServiceLinks: false
{{- with $values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
securityContext: {{- include "facegate.withoutNull" $values.podSecurityContext | nindent 2 }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- $affinity := deepCopy $values.affinity -}}
{{- if .besideServer -}}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" (include "facegate.selector" .root | fromYaml)) -}}
{{- $near := default (dict) $affinity.podAffinity -}}
{{- $required := append (default (list) $near.requiredDuringSchedulingIgnoredDuringExecution) $term -}}
{{- $_ := set $affinity "podAffinity" (set $near "requiredDuringSchedulingIgnoredDuringExecution" $required) -}}
{{- end }}
{{- with $affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "facegate.withoutNull" -}}
{{- $set := dict -}}
{{- range $name, $value := . -}}
{{- if not (kindIs "invalid" $value) -}}{{- $_ := set $set $name $value -}}{{- end -}}
{{- end -}}
{{- toYaml $set -}}
{{- end -}}

{{- define "facegate.containerSecurity" -}}
{{- include "facegate.withoutNull" .Values.securityContext -}}
{{- end -}}

{{/* Mounts and volumes of a job that only reads and writes the stores. */}}
{{- define "facegate.storeMounts" -}}
- name: config
  mountPath: /etc/facegate/facegate.toml
  subPath: facegate.toml
  readOnly: true
- name: data
  mountPath: /var/lib/facegate
- name: tmp
  mountPath: /tmp
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "facegate.storeVolumes" -}}
- name: config
  configMap:
    name: {{ include "facegate.fullname" . | quote }}
    items:
      - key: facegate.toml
        path: facegate.toml
- name: data
  {{- if .Values.persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ default (include "facegate.fullname" .) .Values.persistence.existingClaim | quote }}
  {{- else }}
  emptyDir: {}
  {{- end }}
- name: tmp
  emptyDir: {}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Mounts and volumes of the server, and of the doctor, which examines all of them. */}}
{{- define "facegate.mounts" -}}
{{ include "facegate.storeMounts" . }}
{{- if .Values.policies }}
- name: policies
  mountPath: /etc/facegate/policies
  readOnly: true
{{- end }}
- name: tls-device
  mountPath: /etc/facegate/tls/device
  readOnly: true
- name: tls-service
  mountPath: /etc/facegate/tls/service
  readOnly: true
{{- if .Values.tls.service.clientCaSecret }}
- name: tls-clients
  mountPath: /etc/facegate/tls/clients
  readOnly: true
{{- end }}
{{- if .Values.apiKeys.existingSecret }}
- name: api-keys
  mountPath: /etc/facegate/api-keys
  readOnly: true
{{- end }}
{{ include "facegate.keyMount" . }}
{{- if ne .Values.models.source "none" }}
- name: models
  mountPath: /srv/models
  readOnly: true
{{- end }}
{{- end -}}

{{- define "facegate.keyMount" -}}
- name: keys
  mountPath: /var/lib/facegate-keys
  {{- if .Values.keys.existingSecret }}
  readOnly: true
  {{- end }}
{{- end -}}

{{- define "facegate.keyVolume" -}}
- name: keys
  {{- if .Values.keys.tenants }}
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ .Values.keys.existingSecret | quote }}
      {{- range $tenant, $keys := .Values.keys.tenants }}
      - secret:
          name: {{ $keys.existingSecret | quote }}
          items:
            {{- range $keys.files }}
            - key: {{ . | quote }}
              path: {{ printf "tenants/%s/%s" $tenant . | quote }}
            {{- end }}
      {{- end }}
  {{- else if .Values.keys.existingSecret }}
  secret:
    secretName: {{ .Values.keys.existingSecret | quote }}
    defaultMode: 0440
  {{- else }}
  persistentVolumeClaim:
    claimName: {{ default (printf "%s-keys" (include "facegate.fullname" .)) .Values.keys.existingClaim | quote }}
  {{- end }}
{{- end -}}

{{- define "facegate.volumes" -}}
{{ include "facegate.storeVolumes" . }}
{{- if .Values.policies }}
- name: policies
  configMap:
    name: {{ include "facegate.fullname" . }}-policies
{{- end }}
- name: tls-device
  secret:
    secretName: {{ include "facegate.tlsSecret.device" . | quote }}
    defaultMode: 0440
- name: tls-service
  secret:
    secretName: {{ include "facegate.tlsSecret.service" . | quote }}
    defaultMode: 0440
{{- if .Values.tls.service.clientCaSecret }}
- name: tls-clients
  secret:
    secretName: {{ .Values.tls.service.clientCaSecret | quote }}
    defaultMode: 0440
{{- end }}
{{- if .Values.apiKeys.existingSecret }}
- name: api-keys
  secret:
    secretName: {{ .Values.apiKeys.existingSecret | quote }}
    defaultMode: 0440
{{- end }}
{{ include "facegate.keyVolume" . }}
{{- if eq .Values.models.source "claim" }}
- name: models
  persistentVolumeClaim:
    claimName: {{ .Values.models.existingClaim | quote }}
    readOnly: true
{{- else if eq .Values.models.source "image" }}
- name: models
  image:
    reference: {{ .Values.models.image | quote }}
    pullPolicy: {{ .Values.image.pullPolicy | quote }}
{{- else if eq .Values.models.source "pull" }}
- name: models
  emptyDir:
    sizeLimit: {{ .Values.models.size | quote }}
{{- end }}
{{- end -}}
