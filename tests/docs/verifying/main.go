// Reads records and prints, a line each, whether they are genuine. See test_verifying.py for the format.
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
)

func main() {
	key, _ := base64.StdEncoding.DecodeString(os.Args[2])
	keys := map[string][]byte{os.Args[1]: key}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), " ")
		headers := map[string][]byte{}
		for _, field := range fields[4:] {
			name, content, _ := strings.Cut(field, "=")
			headers[name] = decoded(content)
		}
		fmt.Println(IsGenuine(fields[0], decoded(fields[2]), decoded(fields[3]), headers, keys, fields[1]))
	}
}

func decoded(text string) []byte {
	if text == "-" {
		return nil
	}
	content, _ := base64.StdEncoding.DecodeString(text)
	return content
}
