/** An enterprise as a person writes it, and the files that it names. */
import type { Enterprise } from './enterprise.ts'

/** The same as a person writes it: JSON is YAML. */
export function written(e: Enterprise): string {
  const { decks, numbersInFile, numbers, ...rest } = e
  const { deskUsers, ...emergency } = e.emergency
  const entries = <T, R>(record: Record<string, T>, build: (value: T, i: number) => R) =>
    Object.fromEntries(Object.entries(record).map(([name, value], i) => [name, build(value, i)]))
  const inline = numbers.slice(0, numbers.length - numbersInFile)
  return JSON.stringify({
    ...rest,
    rateDecks: Object.fromEntries(
      Object.entries(decks).map(([name, of]) => [
        name,
        of.kind === 'bandwidth'
          ? { kind: of.kind, currency: 'USD', commit: '5Mbit/s', price: '12.50' }
          : { kind: of.kind, currency: 'USD', file: `${name}.csv` },
      ]),
    ),
    ...{ version: 1, country: 'US' },
    edge: { listen: { inside: { url: 'udp://127.0.0.1:5060' } }, media: { relay: 'embedded', address: '127.0.0.1' } },
    sites: { ...e.sites, hq: { networks: ['10.0.0.0/8'], ...e.sites.hq } },
    trunks: entries(e.trunks, (t, i) => ({
      ...t,
      to: ['sip:192.0.2.1'],
      from: [`192.0.2.${i + 1}`],
      listener: 'inside',
    })),
    users: entries(e.users, (u) => ({ ...u, password: { env: 'PASSWORD' } })),
    numbers: [...inline, ...(numbersInFile > 0 ? [{ file: 'numbers.csv' }] : [])],
    emergency: { ...emergency, ...(deskUsers.length ? { desk: deskUsers.map((n) => `sip:${n}@acme.example`) } : {}) },
  })
}

/** The vendors' files, and the list of numbers. */
export function files(e: Enterprise): Record<string, string> {
  const decks = Object.entries(e.decks).flatMap(([name, deck]) => {
    if (deck.kind === 'bandwidth') return []
    const rows = deck.rows.map((r) => `${r.prefix},x,0,${r.perMinute},${r.from ?? ''},${r.to ?? ''}`)
    return [[`${name}.csv`, ['prefix,name,connect,perMinute,from,to', ...rows].join('\n')]]
  })
  const listed = e.numbers.slice(e.numbers.length - e.numbersInFile)
  const rows = listed.map((n) =>
    [n.number ?? n.range, n.user, n.reserved, n.failover, n.policy, ''].map((cell) => String(cell ?? '')).join(','),
  )
  return {
    ...Object.fromEntries(decks),
    'numbers.csv': ['number,user,reserved,failover,policy,note', ...rows].join('\n'),
  }
}
