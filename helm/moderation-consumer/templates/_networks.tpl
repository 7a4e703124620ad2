{{/* Which addresses a network policy's peers reach: never those of metadata services. */}}

{{/* They hand out the machine's own keys to whoever asks: those of most clouds, of Alibaba Cloud, and AWS's for IPv6. */}}
{{- define "moderation-consumer.metadataServices" -}}
169.254.169.254/32 100.100.100.200/32 fd00:ec2::254/128
{{- end }}

{{/* A list of peers, as in a policy's `to`, without metadata services. An empty list becomes everywhere else. */}}
{{- define "moderation-consumer.peers" -}}
{{- $everywhere := list (dict "namespaceSelector" dict) (dict "ipBlock" (dict "cidr" "0.0.0.0/0")) (dict "ipBlock" (dict "cidr" "::/0")) -}}
{{- $peers := list -}}
{{- range $peer := default $everywhere . -}}
  {{- if $peer.ipBlock -}}
    {{- $cidr := $peer.ipBlock.cidr -}}
    {{- $except := default list $peer.ipBlock.except -}}
    {{- range $service := include "moderation-consumer.metadataServices" $ | splitList " " -}}
      {{- if include "moderation-consumer.contains" (list $service $cidr) -}}
        {{- fail (printf "networkPolicy: %s is a cloud's metadata service, which pods never reach: leave it out" $cidr) -}}
      {{- end -}}
      {{- if include "moderation-consumer.contains" (list $cidr $service) -}}
        {{- $except = append $except $service -}}
      {{- end -}}
    {{- end -}}
    {{- $block := dict "cidr" $cidr -}}
    {{- with $except -}}
      {{- $_ := set $block "except" (uniq .) -}}
    {{- end -}}
    {{- $peer = set (deepCopy $peer) "ipBlock" $block -}}
  {{- end -}}
  {{- $peers = append $peers $peer -}}
{{- end -}}
{{ toYaml $peers }}
{{- end }}

{{/* "true" when the first of two CIDRs contains the second, else nothing. */}}
{{- define "moderation-consumer.contains" -}}
{{- $outer := first . -}}
{{- $inner := last . -}}
{{- $ofOuter := include "moderation-consumer.groups" $outer | splitList " " -}}
{{- $ofInner := include "moderation-consumer.groups" $inner | splitList " " -}}
{{- $prefix := splitList "/" $outer | last | int -}}
{{- $contains := and (eq (len $ofOuter) (len $ofInner)) (le $prefix (splitList "/" $inner | last | int)) -}}
{{- if $contains -}}
  {{- $bits := contains ":" $outer | ternary 16 8 -}}
  {{- range $i, $group := $ofOuter -}}
    {{- /* The bits of this group that the prefix leaves open; whoever divides by their size looks at the others. */ -}}
    {{- $open := sub $bits (max 0 (min $bits (sub $prefix (mul $i $bits)))) -}}
    {{- $size := 1 -}}
    {{- range until (int $open) -}}
      {{- $size = mul $size 2 -}}
    {{- end -}}
    {{- if ne (div (int64 $group) $size) (div (int64 (index $ofInner $i)) $size) -}}
      {{- $contains = false -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{ $contains | ternary "true" "" }}
{{- end }}

{{/* The four bytes of an IPv4 CIDR, or the eight groups of an IPv6 one as 0x…, separated by spaces. */}}
{{- define "moderation-consumer.groups" -}}
{{- $address := splitList "/" . | first -}}
{{- if contains ":" $address -}}
  {{- $halves := splitList "::" $address -}}
  {{- $groups := first $halves | splitList ":" | compact -}}
  {{- $end := rest $halves | join ":" | splitList ":" | compact -}}
  {{- if eq (len $halves) 2 -}}
    {{- range until (int (sub 8 (add (len $groups) (len $end)))) -}}
      {{- $groups = append $groups "0" -}}
    {{- end -}}
  {{- end -}}
  {{- $groups = concat $groups $end -}}
  {{- if ne (len $groups) 8 -}}
    {{- fail (printf "networkPolicy: %s is no CIDR" .) -}}
  {{- end -}}
  {{- range $i, $group := $groups }}{{ $i | eq 0 | ternary "" " " }}0x{{ $group }}{{ end -}}
{{- else -}}
  {{- splitList "." $address | join " " -}}
{{- end -}}
{{- end }}

{{/* The spec of a policy: for the pods that have the labels `selector`, and whether one of these `asks` the provider. */}}
{{- define "moderation-consumer.connections" -}}
podSelector:
  matchLabels:
    {{- $.selector | nindent 4 }}
policyTypes: [Ingress, Egress]
ingress:
  - ports:
      - port: health
        protocol: TCP
  {{- with $.root.Values.networkPolicy.metricsFrom }}
  - ports:
      - port: metrics
        protocol: TCP
    from:
      {{- toYaml . | nindent 6 }}
  {{- end }}
  {{- if and $.callbacks $.root.Values.config.scan.callback.url }}
  - ports:
      - port: callback
        protocol: TCP
    from:
      {{- toYaml $.root.Values.networkPolicy.callbacksFrom | nindent 6 }}
  {{- end }}
egress:
  {{- with $.root.Values.networkPolicy }}
  {{- if .restrictEgress }}
  # DNS
  - to:
      {{- include "moderation-consumer.peers" .dns | nindent 6 }}
    ports:
      - port: 53
        protocol: UDP
      - port: 53
        protocol: TCP
  # Kafka
  - to:
      {{- include "moderation-consumer.peers" .brokers | nindent 6 }}
    ports:
      {{- $ports := list }}
      {{- range splitList "," $.root.Values.config.kafka.bootstrap_servers }}
      {{- $ports = append $ports (regexReplaceAll "^.*:" (trim .) "" | int) }}
      {{- end }}
      {{- range .brokerPorts }}
      {{- $ports = append $ports (int .) }}
      {{- end }}
      {{- range uniq $ports }}
      - port: {{ . }}
        protocol: TCP
      {{- end }}
  {{- if $.asks }}
  # the provider
  - to:
      {{- include "moderation-consumer.peers" .provider | nindent 6 }}
    ports:
      {{- range .providerPorts }}
      - port: {{ int . }}
        protocol: TCP
      {{- end }}
  {{- end }}
  {{- range .extraEgress }}
  - to:
      {{- include "moderation-consumer.peers" .to | nindent 6 }}
    {{- with .ports }}
    ports:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  {{- end }}
  {{- else }}
  - to:
      {{- include "moderation-consumer.peers" list | nindent 6 }}
  {{- end }}
  {{- end }}
{{- end }}
