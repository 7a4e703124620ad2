{{/* Helpers for what a pod may take. */}}

{{/* A quantity of memory, such as 512Mi, in bytes. */}}
{{- define "moderation-consumer.bytes" -}}
{{- $quantity := toString . }}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 }}
{{- $unit := regexFind "[A-Za-z]*$" $quantity }}
{{- $number := trimSuffix $unit $quantity }}
{{- if not (and (hasKey $units $unit) (regexMatch "^[0-9]+([.][0-9]+)?$" $number)) }}
  {{- fail (printf "resources.limits.memory is %s: write it in Ki, Mi or Gi, such as 512Mi" $quantity) }}
{{- end }}
{{- mulf (float64 $number) (get $units $unit) | int64 }}
{{- end }}

{{/* Bytes that images take beside the service itself, by what config says: none where no binding uploads. */}}
{{- define "moderation-consumer.bytesOfImages" -}}
{{- $uploads := false }}
{{- range .Values.config.bindings | default list }}
  {{- if or (eq (.via | default "url") "upload") (eq (.fallback | default "") "upload") }}
    {{- $uploads = true }}
  {{- end }}
{{- end }}
{{- $images := .Values.config.images | default dict }}
{{- $bytes := 0 }}
{{- if $uploads }}
  {{- $bytes = int64 ($images.max_bytes_held | default 134217728) }}
  {{- $frames := $images.frames | default "first" | toString }}
  {{- if or $images.convert (eq ($images.oversize | default "review") "scale") (not (has $frames (list "first" "1"))) }}
    {{- $bytes = add $bytes (mul (int64 ($images.workers | default 2)) (int64 ($images.worker_memory_bytes | default 1073741824))) }}
  {{- end }}
{{- end }}
{{- $bytes }}
{{- end }}

{{/* The container's resources: its limit of memory grows by what images take. */}}
{{- define "moderation-consumer.resources" -}}
{{- $resources := deepCopy .Values.resources }}
{{- $bytes := include "moderation-consumer.bytesOfImages" . | int64 }}
{{- $limits := get $resources "limits" | default dict }}
{{- if and $bytes (hasKey $limits "memory") }}
  {{- $_ := set $limits "memory" (add $bytes (include "moderation-consumer.bytes" $limits.memory | int64) | toString) }}
{{- end }}
{{- toYaml $resources }}
{{- end }}

{{/* What `moderation-consumer feedback` may take: its limit of memory grows by what it remembers. */}}
{{- define "moderation-consumer.peopleResources" -}}
{{- $resources := deepCopy .Values.people.resources }}
{{- $reviews := .Values.config.reviews | default dict }}
{{- $feedback := .Values.config.feedback | default dict }}
{{- $bytes := mul 512 (int64 ($reviews.most | default 1000000)) }}
{{- if $feedback.enabled }}
  {{- $bytes = add $bytes (mul 1024 (int64 ($feedback.most | default 100000))) }}
{{- end }}
{{- $limits := get $resources "limits" | default dict }}
{{- if hasKey $limits "memory" }}
  {{- $_ := set $limits "memory" (add $bytes (include "moderation-consumer.bytes" $limits.memory | int64) | toString) }}
{{- end }}
{{- toYaml $resources }}
{{- end }}
