import { checkConfiguration } from '@tandem/config/check.ts'
import type { Configuration } from '@tandem/config/schema.ts'

/** A small enterprise: alice has a mobile, bob has none. */
export const acmeYaml = `
version: 1
domain: acme.example
country: US
edge:
  listen:
    inside: { url: "udp://127.0.0.1:5060" }
  media: { relay: embedded, address: 127.0.0.1 }
sites: { hq: { networks: ["127.0.0.1/32"], dialPlan: us } }
dialPlans: { us: { rules: [{ name: ten, match: '^(\\d{10})$', to: '+1$1' }] } }
policies: { staff: { usages: [local] } }
routes: [{ name: all, match: '^\\+1', usages: [local], trunks: [itsp-a] }]
trunks:
  itsp-a: { to: ["sip:127.0.0.1:5080"], from: ["127.0.0.1:5080"], listener: inside, emergency: true }
users:
  alice: { did: "+14255551001", extension: "1001", site: hq, policy: staff, mobile: "+12065550142", password: { env: A } }
  bob: { did: "+14255551002", extension: "1002", site: hq, policy: staff, password: { env: B } }
emergency: { numbers: ["911"], trunks: [itsp-a] }
`

export function acme(yaml = acmeYaml): Configuration {
  const checked = checkConfiguration({ files: [{ path: 'acme.yaml', text: yaml }] })
  if (checked.kind === 'bad') throw new Error(JSON.stringify(checked.problems))
  return checked.configuration
}
