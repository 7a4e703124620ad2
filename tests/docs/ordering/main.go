// Takes in verdicts, and prints at each empty line the decision that counts. See test_order.py for the format.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	var counts *Verdict
	for lines.Scan() {
		if lines.Text() == "" {
			fmt.Println(counts.Decision)
			kept = map[[3]string]map[place]*Verdict{}
			continue
		}
		said := strings.Split(lines.Text(), " ")
		verdict := &Verdict{Tenant: said[0], Subject: said[1], Image: said[2], Topic: said[4], Partition: number(said[5]),
			Offset: number(said[6]), DecidedBy: said[7], Sequence: number(said[8]), Decision: said[9], Received: said[10]}
		if said[3] != "-" {
			revision := number(said[3])
			verdict.Revision = &revision
		}
		counts = Counts(verdict)
	}
}

func number(text string) int64 {
	found, _ := strconv.ParseInt(text, 10, 64)
	return found
}
