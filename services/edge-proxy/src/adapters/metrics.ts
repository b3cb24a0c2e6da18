/** What /metrics tells of the edge. Read at the moment of asking: nothing is counted on the path of a call. */

import { Counter, Gauge } from 'prom-client'
import type { Trunks } from '../edge.ts'
import type { OpenListener } from './received.ts'

/** What is measured; the edge of this process once it runs. */
export interface Measured {
  status(): { readonly calls: number; readonly legs: number; readonly outbox: number }
  registrations(): number
  subscriptions(): number
  draining(): boolean
  listeners(): readonly OpenListener[]
  trunks(): readonly { readonly name: string; readonly health: ReturnType<Trunks['health']> }[]
  /** Totals since the start, by name. */
  transactions(): Readonly<Record<string, number>>
  captureLost(): number
  exportLost(): number
  credentialFaults(): number
  dropped(): number
}

let measured: Measured | undefined

/** Replaces what is measured; undefined at the end. */
export function measure(what: Measured | undefined): void {
  measured = what
}

function gauge(name: string, help: string, read: (m: Measured) => number): void {
  new Gauge({
    name,
    help,
    collect() {
      this.set(measured ? read(measured) : 0)
    },
  })
}

gauge('tandem_edge_calls', 'Calls up or being set up', (m) => m.status().calls)
gauge('tandem_edge_legs', 'Legs of those calls', (m) => m.status().legs)
gauge('tandem_edge_outbox', 'Leg records that billing has not confirmed', (m) => m.status().outbox)
gauge('tandem_edge_registrations', 'Contacts that are registered', (m) => m.registrations())
gauge('tandem_edge_subscriptions', 'Subscription dialogs', (m) => m.subscriptions())
gauge('tandem_edge_draining', '1 while no new calls are taken', (m) => (m.draining() ? 1 : 0))
gauge('tandem_edge_dropped', 'Requests and connections of banned or flooding sources without an answer', (m) =>
  m.dropped(),
)
gauge('tandem_edge_capture_lost', 'Messages that the ladder lost since the start', (m) => m.captureLost())
gauge('tandem_edge_hep_lost', 'Captured messages that did not reach the HEP collector since the start', (m) =>
  m.exportLost(),
)
gauge('tandem_edge_credential_faults', 'Certificates and keys of ours that cannot be used now', (m) =>
  m.credentialFaults(),
)

new Gauge({
  name: 'tandem_edge_connections',
  help: 'Open connections (TCP, TLS) or known addresses (UDP) by listener',
  labelNames: ['listener'],
  collect() {
    this.reset()
    for (const l of measured?.listeners() ?? []) this.set({ listener: l.name }, l.connections())
  },
})
new Gauge({
  name: 'tandem_edge_trunk_up',
  help: '1 up, 0.5 probing, 0 down or draining',
  labelNames: ['trunk'],
  collect() {
    this.reset()
    for (const t of measured?.trunks() ?? [])
      this.set({ trunk: t.name }, t.health === 'up' ? 1 : t.health === 'probing' ? 0.5 : 0)
  },
})
new Counter({
  name: 'tandem_edge_sip_total',
  help: 'SIP transactions and what became of them (libs/sip TransactionCounters)',
  labelNames: ['what'],
  collect() {
    this.reset()
    for (const [what, count] of Object.entries(measured?.transactions() ?? {})) this.inc({ what }, count)
  },
})
