// Package ignored switches rules off.
package ignored

import "log/slog"

func calls(log *slog.Logger, name string) {
	log.Info("Bad name") //spile:ignore EV02 operators search for this text
	log.Info("Bad name") // want `EV02`
	//spile:ignore EV02,LC03 operators search for this text
	log.Info("Bad name", name, 1)
	log.Info("Bad name", name, 1) // want `EV02` `LC03`
	log.Info(                     //spile:ignore EV02,LC03 operators search for this text
		"Bad name",
		name, 1,
	)
	log.Info("Bad name")      /* want `EV02 error` `LC05 warning: .*gives no reason` */ //spile:ignore EV02
	log.Info("user_removed")  /* want `LC05 warning: .*unknown rule EV99` */            //spile:ignore EV99 because
	log.Info("user_returned") /* want `LC05 warning: .*names no rule` */                //spile:ignore
	log.Info("user_returned") //spile:ignored is another word
}
