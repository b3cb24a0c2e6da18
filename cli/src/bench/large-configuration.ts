/** The configuration of `calls-configuration.ts` grown large: its hundred users and their calls stay as they were. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type BenchPorts, benchDocument } from './calls-configuration.ts'
import { benchDeck, benchInventory, benchRules, type TableSize } from './routing-tables.ts'

export interface LargeSettings {
  ports: BenchPorts
  /** where a second carrier answers */
  secondPeer: number
  size: TableSize
  /** with another number all prices and all owners of numbers are others */
  edition: number
}

/** Writes `tandem.yaml`, two rate decks and a list of numbers into the folder; gives the file. */
export function writeLargeConfiguration(folder: string, settings: LargeSettings): string {
  const { size, edition } = settings
  const users = size.users + edition
  const file = join(folder, 'tandem.yaml')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'numbers.csv'), benchInventory({ ...size, users }))
  writeFileSync(join(folder, 'minutes.csv'), benchDeck(size.prefixes, 0.01 + edition / 1000))
  writeFileSync(join(folder, 'second.csv'), benchDeck(size.prefixes, 0.02 + edition / 1000))
  const people = Array.from(
    { length: users },
    (_, i) => `  u${i}: { site: hq, policy: staff, location: lobby, password: { env: BENCH_PASSWORD } }\n`,
  )
  writeFileSync(file, `${withoutOthers(settings)}${people.join('')}`)
  return file
}

/** The users come last: lines may follow. */
function withoutOthers({ ports, secondPeer, size }: LargeSettings): string {
  const { users, rateDecks, trunks, dialPlans, ...rest } = benchDocument(ports)
  const { minutes } = rateDecks
  const { us } = dialPlans
  const { carrier } = trunks
  const second = { ...carrier, to: [`sip:127.0.0.1:${secondPeer}`], from: [`127.0.0.1:${secondPeer}`], cost: 'second' }
  return stringify({
    ...rest,
    dialPlans: { us: { ...us, rules: [...us.rules, ...benchRules(size.rules)] } },
    routes: rest.routes.map((route) => ({ ...route, trunks: ['carrier', 'second'], select: 'cost' })),
    trunks: { carrier, second },
    emergency: { ...rest.emergency, trunks: ['carrier', 'second'] },
    numbers: [{ file: 'numbers.csv' }],
    rateDecks: { minutes: { ...minutes, file: 'minutes.csv' }, second: { ...minutes, file: 'second.csv' } },
    users,
  })
}
