package uplink

import "github.com/spilelog/spile/wire"

// Finish ends the session: what was not sent becomes gaps, which go out whatever the credit is and also when nobody
// watches, so that whoever does or comes just now learns of every number; the accounts are final, the journal is
// removed.
func (o *Outbox) Finish(link Sender) (wire.AgentAccounts, error) {
	o.Seal()
	o.Pump(link)
	for i := o.sent; i < len(o.items); i++ {
		if it := &o.items[i]; it.rec.Gap == nil && !it.once {
			o.giveUp(it, wire.ReasonSessionEnd)
			it.msg = nil
		}
	}
	if o.state.OpenGap != nil {
		o.closeGap()
	}
	for i := o.sent; i < len(o.items); i++ {
		it := &o.items[i]
		if it.msg == nil && !o.build(it) || !link.Send(it.msg) {
			break
		}
		it.once = true
	}
	accounts := o.Accounts()
	o.items, o.sent, o.flying = nil, 0, 0
	return accounts, o.opts.Journal.Remove()
}
