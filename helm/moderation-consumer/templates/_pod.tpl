{{/*
The spec of a pod: `command` of the image, its `resources`, the labels that select it, whether it `asks` the provider,
which needs the account's key, and whether it takes `callbacks`.
*/}}
{{- define "moderation-consumer.podSpec" -}}
{{- $config := $.root.Values.config -}}
serviceAccountName: {{ include "moderation-consumer.serviceAccountName" $.root }}
automountServiceAccountToken: false
# Services of the namespace would become variables of ours.
enableServiceLinks: false
# Draining, 10 s for closing when no broker answers, and the margin.
terminationGracePeriodSeconds: {{ addf $config.shutdown.drain_timeout 10 $.root.Values.shutdown.margin | ceil | int }}
securityContext:
  {{- toYaml $.root.Values.podSecurityContext | nindent 2 }}
{{- with $.root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $.root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
containers:
  - name: consumer
    {{- with $.root.Values.image }}
    image: "{{ .repository }}{{ .digest | empty | ternary (printf ":%s" (default $.root.Chart.AppVersion .tag)) (printf "@%s" .digest) }}"
    imagePullPolicy: {{ .pullPolicy }}
    {{- end }}
    args: [{{ $.command }}, --config, /etc/moderation-consumer/consumer.yaml]
    {{- $keyInEnvironment := and $.asks $.root.Values.accountKey.existingSecret (not $config.provider.key_files) }}
    {{- $proxy := and $.asks $.root.Values.providerProxy.existingSecret }}
    {{- if or $keyInEnvironment $proxy $.root.Values.extraEnv }}
    env:
      {{- if $keyInEnvironment }}
      - name: ALIBABA_CLOUD_ACCESS_KEY_ID
        valueFrom:
          secretKeyRef:
            name: {{ $.root.Values.accountKey.existingSecret }}
            key: access-key-id
      - name: ALIBABA_CLOUD_ACCESS_KEY_SECRET
        valueFrom:
          secretKeyRef:
            name: {{ $.root.Values.accountKey.existingSecret }}
            key: access-key-secret
      - name: ALIBABA_CLOUD_SECURITY_TOKEN
        valueFrom:
          secretKeyRef:
            name: {{ $.root.Values.accountKey.existingSecret }}
            key: security-token
            optional: true
      {{- end }}
      {{- with $proxy }}
      - name: MODERATION__PROVIDER__PROXY
        valueFrom:
          secretKeyRef:
            name: {{ . }}
            key: proxy
      {{- end }}
      {{- with $.root.Values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- end }}
    {{- with $.root.Values.extraEnvFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    ports:
      - name: health
        containerPort: {{ int $config.health.port }}
      - name: metrics
        containerPort: {{ int $config.health.metrics_port }}
      {{- if and $.callbacks $config.scan.callback.url }}
      - name: callback
        containerPort: {{ int $config.scan.callback.port }}
      {{- end }}
    livenessProbe:
      httpGet:
        path: /livez
        port: health
      {{- toYaml $.root.Values.probes.liveness | nindent 6 }}
    readinessProbe:
      httpGet:
        path: /readyz
        port: health
      {{- toYaml $.root.Values.probes.readiness | nindent 6 }}
    securityContext:
      {{- toYaml $.root.Values.securityContext | nindent 6 }}
    resources:
      {{- $.resources | nindent 6 }}
    volumeMounts:
      - name: config
        mountPath: /etc/moderation-consumer
        readOnly: true
      {{- if and $.asks $.root.Values.accountKey.existingSecret $config.provider.key_files }}
      - name: account-key
        mountPath: {{ $config.provider.key_files }}
        readOnly: true
      {{- end }}
      {{- if $.root.Values.kafkaSecret.existingSecret }}
      - name: kafka
        mountPath: {{ $.root.Values.kafkaSecret.mountPath }}
        readOnly: true
      {{- end }}
      {{- if $.root.Values.identitySecret.existingSecret }}
      - name: identity
        mountPath: {{ $.root.Values.identitySecret.mountPath }}
        readOnly: true
      {{- end }}
      {{- if and $.callbacks $.root.Values.callbackSecret.existingSecret }}
      - name: callback
        mountPath: {{ $.root.Values.callbackSecret.mountPath }}
        readOnly: true
      {{- end }}
      {{- if or $.root.Values.providerAuthority.existingSecret $.root.Values.providerAuthority.existingConfigMap }}
      - name: provider-authority
        mountPath: {{ $.root.Values.providerAuthority.mountPath }}
        readOnly: true
      {{- end }}
      {{- with $.root.Values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: config
    configMap:
      name: {{ include "moderation-consumer.fullname" $.root }}
  {{- if and $.asks $.root.Values.accountKey.existingSecret $config.provider.key_files }}
  - name: account-key
    secret:
      secretName: {{ $.root.Values.accountKey.existingSecret }}
      defaultMode: 0440
  {{- end }}
  {{- if $.root.Values.kafkaSecret.existingSecret }}
  - name: kafka
    secret:
      secretName: {{ $.root.Values.kafkaSecret.existingSecret }}
      defaultMode: 0440
  {{- end }}
  {{- if $.root.Values.identitySecret.existingSecret }}
  - name: identity
    secret:
      secretName: {{ $.root.Values.identitySecret.existingSecret }}
      defaultMode: 0440
  {{- end }}
  {{- if and $.callbacks $.root.Values.callbackSecret.existingSecret }}
  - name: callback
    secret:
      secretName: {{ $.root.Values.callbackSecret.existingSecret }}
      defaultMode: 0440
  {{- end }}
  {{- with $.root.Values.providerAuthority }}
  {{- if .existingSecret }}
  - name: provider-authority
    secret:
      secretName: {{ .existingSecret }}
      defaultMode: 0440
  {{- else if .existingConfigMap }}
  - name: provider-authority
    configMap:
      name: {{ .existingConfigMap }}
  {{- end }}
  {{- end }}
  {{- with $.root.Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
topologySpreadConstraints:
  {{- range $.root.Values.topologySpread }}
  - labelSelector:
      matchLabels:
        {{- $.selector | nindent 8 }}
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- with $.root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $.root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $.root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
