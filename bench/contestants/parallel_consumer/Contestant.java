import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.ParallelConsumerOptions.CommitMode;
import io.confluent.parallelconsumer.ParallelConsumerOptions.ProcessingOrder;
import io.confluent.parallelconsumer.ParallelStreamProcessor;
import io.github.resilience4j.ratelimiter.RateLimiter;
import io.github.resilience4j.ratelimiter.RateLimiterConfig;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.UUID;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/** One signed call for each message, in the order of its key, as many at once as there are threads. */
public final class Contestant {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HexFormat HEX = HexFormat.of();
    private static final Map<String, String> TASK = System.getenv();

    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final URI provider = URI.create(task("PROVIDER") + "/");
    private final String passed = task("PASSED");
    private final RateLimiter pace;

    private Contestant() {
        // One permit after the other: a permit of a whole second lets twice as many through at its edge.
        pace = task("PACED").equals("0") ? null : RateLimiter.of("quota", RateLimiterConfig.custom()
            .limitForPeriod(1)
            .limitRefreshPeriod(Duration.ofNanos(1_000_000_000L / Long.parseLong(task("QUOTA"))))
            .timeoutDuration(Duration.ofMinutes(10))
            .build());
    }

    public static void main(String[] arguments) {
        var contestant = new Contestant();
        var options = ParallelConsumerOptions.<String, String>builder()
            .ordering(ProcessingOrder.KEY)
            .maxConcurrency(Integer.parseInt(task("IN_FLIGHT")))
            .commitMode(CommitMode.PERIODIC_CONSUMER_ASYNCHRONOUS)
            .commitInterval(Duration.ofSeconds(1))
            .consumer(new KafkaConsumer<>(consumer()))
            .producer(new KafkaProducer<>(producer()))
            .build();
        ParallelStreamProcessor<String, String> processor = ParallelStreamProcessor.createEosStreamProcessor(options);
        processor.subscribe(List.of(task("UPLOADS")));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                // What is in flight is finished; what is buffered is left to the next owner.
                processor.closeDontDrainFirst(Duration.ofSeconds(8));
                Runtime.getRuntime().halt(0);
            } catch (RuntimeException error) {
                error.printStackTrace();
                Runtime.getRuntime().halt(1);
            }
        }));
        processor.pollAndProduce(context -> contestant.moderate(context.key(), context.value()));
    }

    private ProducerRecord<String, String> moderate(String key, String value) {
        try {
            JsonNode event = JSON.readTree(value);
            if (pace != null && !pace.acquirePermission()) {
                throw new IllegalStateException("no permit came");
            }
            String dataId = event.get("event_id").textValue();
            JsonNode answer = ask(event.get("images").get(0).get("url").textValue(), dataId);
            var verdict = JSON.createObjectNode()
                .put("event_id", dataId)
                .put("risk_level", answer.get("Data").get("RiskLevel").textValue());
            return new ProducerRecord<>(passed, key, verdict.toString());
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(error);
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    private JsonNode ask(String imageUrl, String dataId) throws Exception {
        String parameters = JSON.createObjectNode().put("imageUrl", imageUrl).put("dataId", dataId).toString();
        byte[] body = ("Service=baselineCheck_global&ServiceParameters="
            + URLEncoder.encode(parameters, StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8);
        var request = HttpRequest.newBuilder(provider).POST(HttpRequest.BodyPublishers.ofByteArray(body));
        sign(body).forEach(request::header);
        HttpResponse<byte[]> response = http.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
        JsonNode answer = JSON.readTree(response.body());
        if (answer.get("Code").intValue() != 200) {
            throw new IllegalStateException("the provider answered " + answer.get("Code"));
        }
        return answer;
    }

    /** The headers of a call, but for the host, which the client sends of its own accord. */
    private Map<String, String> sign(byte[] body) throws Exception {
        var sha256 = MessageDigest.getInstance("SHA-256");
        String payload = HEX.formatHex(sha256.digest(body));
        var headers = new TreeMap<>(Map.of(
            "content-type", "application/x-www-form-urlencoded",
            "x-acs-action", "ImageModeration",
            "x-acs-content-sha256", payload,
            "x-acs-date", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
            "x-acs-signature-nonce", UUID.randomUUID().toString(),
            "x-acs-version", "2022-03-02"));
        var signed = new TreeMap<>(headers);
        signed.put("host", provider.getAuthority());
        var lines = new StringBuilder();
        signed.forEach((name, value) -> lines.append(name).append(':').append(value).append('\n'));
        String names = String.join(";", signed.keySet());
        String canonical = "POST\n/\n\n" + lines + "\n" + names + "\n" + payload;
        String wanted = "ACS3-HMAC-SHA256\n" + HEX.formatHex(sha256.digest(canonical.getBytes(StandardCharsets.UTF_8)));
        var mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec("bench-secret".getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        String signature = HEX.formatHex(mac.doFinal(wanted.getBytes(StandardCharsets.UTF_8)));
        headers.put("authorization",
            "ACS3-HMAC-SHA256 Credential=bench,SignedHeaders=" + names + ",Signature=" + signature);
        return headers;
    }

    private static Properties consumer() {
        var properties = new Properties();
        properties.put("bootstrap.servers", task("BOOTSTRAP_SERVERS"));
        properties.put("group.id", task("GROUP"));
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        properties.put("session.timeout.ms", task("SESSION_TIMEOUT_MS"));
        properties.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        properties.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        return properties;
    }

    private static Properties producer() {
        var properties = new Properties();
        properties.put("bootstrap.servers", task("BOOTSTRAP_SERVERS"));
        properties.put("acks", "all");
        properties.put("enable.idempotence", "true");
        properties.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        properties.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        return properties;
    }

    private static String task(String name) {
        return TASK.get("BENCH_" + name);
    }
}
