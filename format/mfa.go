package format

import (
	"strconv"
	"strings"
)

// MFA is a function as Erlang and Elixir name it, for programs that pass on what those log. It prints only as the
// metadata mfa or initial_call, as Mod.fun/2.
type MFA struct {
	// Module is the name of the module: Elixir.Shop.Cart in Elixir, shop_cart in Erlang.
	Module string
	// Function is the name of the function.
	Function string
	// Arity is how many arguments it takes.
	Arity int
}

// elixirPrefix begins the full name of every module of Elixir; people leave it out.
const elixirPrefix = "Elixir."

// module is the module as people write it.
func (m *MFA) module() string { return strings.TrimPrefix(m.Module, elixirPrefix) }

// function is the function with its arity.
func (m *MFA) function() string { return m.Function + "/" + strconv.Itoa(m.Arity) }

// text is the whole: the module with a colon if it is one of Erlang, the function in quotes if it needs them.
func (m *MFA) text() string {
	module, elixir := strings.CutPrefix(m.Module, elixirPrefix)
	if !elixir {
		module = ":" + module
	}
	name := m.Function
	if !plainFunction(name) {
		name = strconv.Quote(name)
	}
	return module + "." + name + "/" + strconv.Itoa(m.Arity)
}

// operators are the functions of Elixir that are written without quotes though they are no words.
const operators = " ! && &&& * ** + ++ +++ - -- --- .. / < <- <<< <<~ <= <> <|> <~ <~> = == === =~ > >= >>> @ ^ ^^^ " +
	"| || ||| ~> ~>> ~~~ != !== & |> "

// plainFunction says whether Elixir writes the name of a function without quotes.
func plainFunction(name string) bool {
	if strings.Contains(operators, " "+name+" ") {
		return true
	}
	word := strings.TrimRight(name, "?!")
	if len(name)-len(word) > 1 || word == "" {
		return false
	}
	for i, r := range word {
		switch {
		case 'a' <= r && r <= 'z', r == '_':
		case i > 0 && ('A' <= r && r <= 'Z' || '0' <= r && r <= '9'):
		default:
			return false
		}
	}
	return true
}
