// Writes .env with random passwords and the token file of the API, once: what is there is kept.
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const env = join(here, '..', '..', '.env')
const secrets = join(here, 'secrets')
if (existsSync(env)) {
  console.log('.env is there already: kept')
  process.exit(0)
}
// nats-server reads a variable as a value of its configuration: a text must not begin like a number.
const secret = () => `t${randomBytes(18).toString('hex')}`
const token = secret()
const names = ['EDGE_PROXY', 'ROUTING', 'PRESENCE', 'LOCATION', 'BILLING', 'CONSOLE'].map((s) => `${s}_NATS_PASSWORD`)
const lines = [...names, 'POSTGRES_PASSWORD', 'ALICE_PASSWORD', 'BOB_PASSWORD'].map((n) => `${n}=${secret()}`)
mkdirSync(secrets, { recursive: true })
// The container's user must read it: it holds hashes only.
writeFileSync(
  join(secrets, 'api-tokens.json'),
  `${JSON.stringify([{ name: 'admin', role: 'admin', sha256: createHash('sha256').update(token).digest('hex') }])}\n`,
  { mode: 0o644 },
)
writeFileSync(env, `${[...lines, `TANDEM_API_TOKEN=${token}`].join('\n')}\n`, { mode: 0o600 })
console.log('wrote .env (passwords, 0600) and deploy/docker/secrets/api-tokens.json (hashes)')
