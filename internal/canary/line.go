package canary

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"
)

// A line is: time, level, "canary", run, number, checksum of all before. All have one length, so that lost bytes tell
// how many lines were lost.
const (
	stampLayout = "2006-01-02T15:04:05.000000Z"
	runBytes    = 4
	sumBytes    = 8 // in hexadecimal digits
	lineFields  = 6
	// lineBytes is the length of a line with its end.
	lineBytes = len(stampLayout) + len(" INFO canary ") + 2*runBytes + len(" 000000000000 ") + sumBytes + 1
)

// lineHead is what the lines of a run have in common after their time.
func lineHead(run string) string { return "INFO canary " + run + " " }

// appendLine appends line n of a run, with its end.
func appendLine(dst []byte, run string, n uint64, at time.Time) []byte {
	begin := len(dst)
	dst = at.UTC().AppendFormat(dst, stampLayout)
	dst = fmt.Appendf(dst, " %s%012d", lineHead(run), n)
	return fmt.Appendf(dst, " %08x\n", crc32.ChecksumIEEE(dst[begin:]))
}

// parseLine reads a line of a run and says whether it is one, unharmed.
func parseLine(line, run string) (n uint64, at time.Time, ok bool) {
	fields := strings.Split(strings.TrimSuffix(line, "\n"), " ")
	if len(fields) != lineFields || fields[1] != "INFO" || fields[2] != "canary" || fields[3] != run {
		return 0, time.Time{}, false
	}
	body := strings.TrimSuffix(strings.TrimSuffix(line, "\n"), " "+fields[5])
	if fields[5] != fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))) {
		return 0, time.Time{}, false
	}
	var err error
	if n, err = strconv.ParseUint(fields[4], 10, 64); err != nil {
		return 0, time.Time{}, false
	}
	at, err = time.Parse(stampLayout, fields[0])
	return n, at, err == nil
}
