// Reads records and prints, a line each, whether they are genuine. See test_verifying.py for the format.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;

class Main {
    public static void main(String[] arguments) throws Exception {
        var keys = Map.of(arguments[0], Base64.getDecoder().decode(arguments[1]));
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null; ) {
            String[] fields = line.split(" ");
            var headers = new HashMap<String, byte[]>();
            for (int n = 4; n < fields.length; n++) {
                int at = fields[n].indexOf('=');
                headers.put(fields[n].substring(0, at), bytes(fields[n].substring(at + 1)));
            }
            System.out.println(
                Outcomes.isGenuine(fields[0], bytes(fields[2]), bytes(fields[3]), headers, keys, fields[1]));
        }
    }

    static byte[] bytes(String text) {
        return text.equals("-") ? null : Base64.getDecoder().decode(text);
    }
}
