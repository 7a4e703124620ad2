{{/* Names and labels, nothing else. */}}

{{- define "moderation-consumer.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "moderation-consumer.fullname" -}}
{{- $name := include "moderation-consumer.name" . -}}
{{- $both := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{ default $both .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "moderation-consumer.serviceAccountName" -}}
{{ default (.Values.serviceAccount.create | ternary (include "moderation-consumer.fullname" .) "default") .Values.serviceAccount.name }}
{{- end }}

{{- define "moderation-consumer.selectorLabels" -}}
app.kubernetes.io/name: {{ include "moderation-consumer.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "moderation-consumer.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "moderation-consumer.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Of `moderation-consumer feedback`: what selects the service's pods must not select its pods. */}}
{{- define "moderation-consumer.peopleName" -}}
{{ include "moderation-consumer.fullname" . | trunc 56 | trimSuffix "-" }}-people
{{- end }}

{{- define "moderation-consumer.peopleSelectorLabels" -}}
app.kubernetes.io/name: {{ include "moderation-consumer.name" . | trunc 56 | trimSuffix "-" }}-people
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "moderation-consumer.peopleLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "moderation-consumer.peopleSelectorLabels" . }}
app.kubernetes.io/component: people
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
