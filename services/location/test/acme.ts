import { readFileSync } from 'node:fs'
import { checkConfiguration } from '@tandem/config/check.ts'
import type { Configuration } from '@tandem/config/schema.ts'

/** Two sites with networks, one without; alice and bob at hq, carol where nobody can tell, dave without a number. */
export const acmeYaml = `
version: 1
domain: acme.example
country: US
edge:
  listen:
    inside: { url: "udp://127.0.0.1:5060" }
  media: { relay: embedded, address: 127.0.0.1 }
sites:
  hq: { networks: ["127.0.0.1/32", "10.1.0.0/16"], dialPlan: us, location: hq-lobby }
  branch: { networks: ["10.2.0.0/16", "2001:db8:2::/48"], dialPlan: us, location: branch-floor }
  kiosk: { dialPlan: us }
dialPlans: { us: { rules: [{ name: ten, match: '^(\\d{10})$', to: '+1$1' }] } }
policies: { staff: { usages: [local] } }
routes: [{ name: all, match: '^\\+1', usages: [local], trunks: [itsp-a] }]
trunks:
  itsp-a: { to: ["sip:127.0.0.1:5080"], from: ["127.0.0.1:5080"], listener: inside, emergency: true }
users:
  alice: { did: "+14255551001", extension: "1001", site: hq, policy: staff, location: hq-2-201, password: { env: A } }
  bob: { did: "+14255551002", extension: "1002", site: hq, policy: staff, password: { env: B } }
  carol: { did: "+14255551003", site: kiosk, policy: staff, location: kiosk-1, password: { env: C } }
  dave: { site: hq, policy: staff, password: { env: D } }
locations:
  hq-lobby: { country: US, A1: WA, A3: Redmond, HNO: "15010", PRD: NE, RD: "36th", STS: St, PC: "98052", BLD: "1", FLR: "1", ROOM: Lobby }
  hq-2-201: { ROOM: "201", FLR: "2", BLD: "1", PC: "98052", STS: St, RD: "36th", PRD: NE, HNO: "15010", A3: Redmond, A1: WA, country: US }
  hq-3: { country: US, A1: WA, A3: Redmond, HNO: "15010", PRD: NE, RD: "36th", STS: St, PC: "98052", FLR: "3", geo: { latitude: 47.64, longitude: -122.13, radius: 20 } }
  branch-floor: { country: US, A1: NY, A3: New York, HNO: "11", RD: "Times", STS: Sq, PC: "10036", FLR: "9" }
  branch-9-1: { country: US, A1: NY, A3: New York, HNO: "11", RD: "Times", STS: Sq, PC: "10036", FLR: "9", ROOM: "1" }
  kiosk-1: { country: US, A1: CA, A3: Aurora, HNO: "1", RD: Main, PC: "93065", FLR: "1" }
wiremap:
  - { bssid: "00-11-22-33-44-55", location: hq-2-201 }
  - { chassis: "00:0a:95:9d:68:16", port: "Gi1/0/12", location: hq-3 }
  - { chassis: "00:0a:95:9d:68:16", location: hq-lobby }
  - { subnet: 10.2.9.0/24, location: branch-9-1 }
emergency:
  numbers: ["911"]
  trunks: [itsp-a]
  desk: ["sip:bob@acme.example", "http://127.0.0.1:8911/911"]
  elins: { hq: ["+14255551900"], branch-9-1: ["+12125551900"] }
  callback: 30m
`

export function acme(yaml = acmeYaml): Configuration {
  const checked = checkConfiguration({ files: [{ path: 'acme.yaml', text: yaml }] })
  if (checked.kind === 'bad') throw new Error(JSON.stringify(checked.problems))
  return checked.configuration
}

export function fixture(path: string): string {
  return readFileSync(new URL(`./fixtures/${path}`, import.meta.url), 'utf8')
}
