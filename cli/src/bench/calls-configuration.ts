/** The configuration that calls are measured with: a hundred users, one carrier, no limits, a deck of 10,000 prefixes. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { benchPrefixes } from './numbers.ts'

export const BENCH_DOMAIN = 'bench.example'
const USERS = 100

export interface BenchPorts {
  inside: number
  carrier: number
  /** where the measurement's carrier answers */
  carrierPeer: number
  /** first UDP port of the media relay */
  media: number
  /** how many there are; four a call */
  mediaPorts: number
}

export const benchUsers: readonly string[] = Array.from({ length: USERS }, (_, i) => `user${i}`)

/** Writes `tandem.yaml` and its rate deck; gives the file. Users have the password in BENCH_PASSWORD. */
export function writeBenchConfiguration(folder: string, ports: BenchPorts): string {
  const file = join(folder, 'tandem.yaml')
  mkdirSync(join(folder, 'rates'), { recursive: true })
  writeFileSync(join(folder, 'rates', 'minutes.csv'), deck())
  writeFileSync(file, stringify(benchDocument(ports)))
  return file
}

function deck(): string {
  const rows = benchPrefixes.map((prefix, i) => `${prefix},Exchange ${prefix},0,0.0${100 + (i % 90)},2024-01-01,`)
  return ['prefix,name,connect,perMinute,from,to', ...rows, ''].join('\n')
}

/** Without the file of its rate deck. */
export function benchDocument(ports: BenchPorts) {
  return {
    version: 1,
    domain: BENCH_DOMAIN,
    country: 'US',
    timeZone: 'America/Los_Angeles',
    edge: {
      listen: {
        inside: { url: `udp://127.0.0.1:${ports.inside}`, digest: ['md5', 'sha-256'] },
        carrier: { url: `udp://127.0.0.1:${ports.carrier}` },
      },
      media: {
        relay: 'embedded',
        address: '127.0.0.1',
        ports: `${ports.media}-${ports.media + ports.mediaPorts - 1}`,
        // the calls have no audio
        inactivity: '300s',
      },
    },
    sites: { hq: { networks: ['127.0.0.1/32'], dialPlan: 'us', location: 'lobby' } },
    dialPlans: {
      us: {
        externalPrefix: '9',
        rules: [
          { name: 'extension', match: '^(1\\d{3})$', to: '+1425555$1', internal: true },
          { name: 'ten-digit', match: '^(\\d{10})$', to: '+1$1' },
          { name: 'long-distance', match: '^(1\\d{10})$', to: '+$1' },
          { name: 'international', match: '^011(\\d+)$', to: '+$1' },
        ],
      },
    },
    policies: { staff: { usages: ['national'] } },
    routes: [{ name: 'north-america', match: '^\\+1\\d{10}$', usages: ['national'], trunks: ['carrier'] }],
    trunks: {
      carrier: {
        to: [`sip:127.0.0.1:${ports.carrierPeer}`],
        from: [`127.0.0.1:${ports.carrierPeer}`],
        listener: 'carrier',
        emergency: true,
        cost: 'minutes',
        translate: { outbound: { called: [{ match: '^\\+(.*)$', to: '$1' }] } },
      },
    },
    users: Object.fromEntries(
      benchUsers.map((name, i) => [
        name,
        {
          did: `+1425555${1000 + i}`,
          extension: String(1000 + i),
          site: 'hq',
          policy: 'staff',
          location: 'lobby',
          costCentre: 'bench',
          password: { env: 'BENCH_PASSWORD' },
        },
      ]),
    ),
    locations: {
      lobby: { country: 'US', A1: 'WA', A3: 'Redmond', HNO: '15010', PRD: 'NE', RD: '36th', STS: 'St', PC: '98052' },
    },
    emergency: { numbers: ['911'], trunks: ['carrier'] },
    rateDecks: {
      minutes: {
        kind: 'per-minute',
        currency: 'USD',
        file: 'rates/minutes.csv',
        increments: '6/6',
        rounding: 'half-up',
        decimals: 4,
      },
    },
  }
}
