// Writes deploy/nats/nats-server.conf: the users and permissions of the platform, passwords from the environment.
//   node libs/bus/scripts/write-server-config.ts
import { writeFileSync } from 'node:fs'
import { containerServerConfig } from '../src/server-config.ts'

writeFileSync(new URL('../../../deploy/nats/nats-server.conf', import.meta.url), containerServerConfig())
