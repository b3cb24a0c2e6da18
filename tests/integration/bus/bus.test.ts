import { describe } from 'node:test'
import { startPrivateNats } from '@tandem/testing/nats.ts'
import { testAnyServer } from './any-server.ts'

describe('the bus on the nats-server of this machine', () => testAnyServer(startPrivateNats))
