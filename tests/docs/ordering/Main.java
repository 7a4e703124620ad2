// Takes in verdicts, and prints at each empty line the decision that counts. See test_order.py for the format.
import java.io.BufferedReader;
import java.io.InputStreamReader;

class Main {
    public static void main(String[] arguments) throws Exception {
        var lines = new BufferedReader(new InputStreamReader(System.in));
        var verdicts = new Verdicts();
        Verdict counts = null;
        for (String line; (line = lines.readLine()) != null; ) {
            if (line.isEmpty()) {
                System.out.println(counts.decision());
                verdicts = new Verdicts();
                continue;
            }
            String[] said = line.split(" ");
            Long revision = said[3].equals("-") ? null : Long.valueOf(said[3]);
            counts = verdicts.counts(new Verdict(said[0], said[1], said[2], revision, said[4], Integer.parseInt(said[5]),
                Long.parseLong(said[6]), said[7], Integer.parseInt(said[8]), said[9], said[10]));
        }
    }
}
