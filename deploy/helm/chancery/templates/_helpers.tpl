{{/* What everything is called. */}}
{{- define "chancery.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "chancery.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "chancery.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "chancery.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "chancery.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "chancery.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* By which the servers are found: these never change. Jobs have another component. */}}
{{- define "chancery.selectorLabels" -}}
app.kubernetes.io/name: {{ include "chancery.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{- define "chancery.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "chancery.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: chancery
{{- end }}

{{- define "chancery.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "chancery.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "chancery.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
privileged: false
capabilities:
  drop: [ALL]
{{- end }}

{{/* Where the store is and what its tokens stand under: all that `migrate` and `bootstrap` need. */}}
{{- define "chancery.storeEnv" -}}
- name: CHANCERY_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ required "database.secretName: the secret that holds the address of the database" .Values.database.secretName }}
      key: {{ .Values.database.secretKey }}
- name: CHANCERY_MASTER_KEY
  valueFrom:
    secretKeyRef:
      name: {{ required "masterKey.secretName: the secret that holds the master key" .Values.masterKey.secretName }}
      key: {{ .Values.masterKey.secretKey }}
- name: CHANCERY_LOG__FORMAT
  value: json
{{- end }}

{{/* A job that runs one command before the release. The chart's other objects are not there yet: it uses none of them. */}}
{{- define "chancery.jobPod" -}}
restartPolicy: OnFailure
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "chancery.podSecurityContext" . | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "chancery.check" -}}
{{- if and (not .Values.tls.enabled) (not .Values.plaintext.allow) }}
{{- fail "gRPC carries tokens: set tls.enabled with tls.secretName, or say plaintext.allow=true where a mesh encrypts" }}
{{- end }}
{{- if and .Values.tls.enabled (not .Values.tls.secretName) }}
{{- fail "tls.secretName: the secret of type kubernetes.io/tls is needed where tls.enabled" }}
{{- end }}
{{- if le (int .Values.shutdown.hardSeconds) (int .Values.shutdown.drainSeconds) }}
{{- fail "shutdown.hardSeconds must be longer than shutdown.drainSeconds" }}
{{- end }}
{{- end }}
