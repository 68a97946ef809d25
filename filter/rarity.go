package filter

// commonBytes lists the bytes of log lines from the most common on, in groups whose members stand about groupGap bytes
// apart each: texts, JSON, logfmt and access logs taken together.
var commonBytes = [...]struct {
	gap   uint16
	bytes string
}{
	{12, " e0\"12"},
	{24, "aiorstn345:/.-"},
	{40, "cdlmpu6789,="},
	{64, "fghvwTG_EO"},
	{128, "bkyxz{}[]()IRAFNS"},
	{256, "jqKDLMPCUWBHX;&?%"},
	{512, "VYJQZ+*'<>@#\\\t"},
}

// byteGap is about how many bytes of a log lie between two occurrences of a byte; bytes that are in no group are rare.
var byteGap = func() (t [256]uint16) {
	for i := range t {
		t[i] = 1024
	}
	for _, group := range commonBytes {
		for i := range len(group.bytes) {
			t[group.bytes[i]] = group.gap
		}
	}
	return t
}()
