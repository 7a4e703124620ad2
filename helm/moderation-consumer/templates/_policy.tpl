{{/* The section `policy` of the configuration: which files there are, and how often they are looked at. */}}
{{- define "moderation-consumer.policyFiles" -}}
{{- $files := dict "file" "policy.yaml" }}
{{- if .Values.shadowPolicy }}
{{- $_ := set $files "shadow" "shadow-policy.yaml" }}
{{- end }}
{{- if .Values.policyTests }}
{{- $_ := set $files "tests" "policy.tests.yaml" }}
{{- end }}
{{- if .Values.policyReload }}
{{- $_ := set $files "reload" .Values.policyReload }}
{{- end }}
{{- toYaml $files }}
{{- end }}
