package format

import "maps"

// sgrCodes are the parameters of Select Graphic Rendition (ECMA-48, 8.3.117) by their names in Elixir's IO.ANSI.
var sgrCodes = func() map[string]uint8 {
	codes := map[string]uint8{
		"reset": 0, "bright": 1, "faint": 2, "italic": 3, "underline": 4, "blink_slow": 5, "blink_rapid": 6,
		"inverse": 7, "reverse": 7, "conceal": 8, "crossed_out": 9,
		"primary_font": 10, "font_1": 11, "font_2": 12, "font_3": 13, "font_4": 14, "font_5": 15, "font_6": 16,
		"font_7": 17, "font_8": 18, "font_9": 19,
		"normal": 22, "not_italic": 23, "no_underline": 24, "blink_off": 25, "inverse_off": 27, "reverse_off": 27,
		"reveal": 28, "not_crossed_out": 29, "default_color": 39, "default_background": 49,
		"framed": 51, "encircled": 52, "overlined": 53, "not_framed_encircled": 54, "not_overlined": 55,
	}
	colors := map[string]uint8{
		"black": 0, "red": 1, "green": 2, "yellow": 3, "blue": 4, "magenta": 5, "cyan": 6, "white": 7,
	}
	variants := map[string]uint8{}
	for name, n := range colors {
		variants[name] = 30 + n
		variants[name+"_background"] = 40 + n
		variants["light_"+name] = 90 + n
		variants["light_"+name+"_background"] = 100 + n
	}
	maps.Copy(codes, variants)
	return codes
}()
