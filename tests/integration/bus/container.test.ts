import { describe, test } from 'node:test'
import { connectBus } from '@tandem/bus/bus.ts'
import { natsServerConfig } from '@tandem/bus/server-config.ts'
import { makeStreams } from '@tandem/bus/streams.ts'
import { type ServiceName, serviceNames } from '@tandem/contracts/contract.ts'
import { reachableHost, whyNoContainer } from '@tandem/testing/containers.ts'
import type { PrivateNats } from '@tandem/testing/nats.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers'
import { testAnyServer } from './any-server.ts'

const image = 'nats:2.10-alpine'
const reason = await whyNoContainer(image)

if (reason === undefined) describe('the bus on a nats-server in a container', () => testAnyServer(startContainer))
else test('the bus on a nats-server in a container', { skip: reason }, () => {})

async function startContainer(): Promise<PrivateNats> {
  const passwords = Object.fromEntries(serviceNames.map((s) => [s, `${s}-secret`])) as Record<ServiceName, string>
  // the same port after a kill: clients must find it again
  const port = await steadyPort()
  const container = await new GenericContainer(image)
    .withCopyContentToContainer([
      {
        content: natsServerConfig({ host: '0.0.0.0', port: 4222, storeDir: '/tmp/js', passwords }),
        target: '/tandem.conf',
      },
    ])
    .withCommand(['-c', '/tandem.conf'])
    .withExposedPorts({ container: 4222, host: port })
    .withWaitStrategy(Wait.forLogMessage(/Server is ready/))
    .start()
  const raw = (await getContainerRuntimeClient()).container.getById(container.getId())
  const url = `nats://${await reachableHost(container, port)}:${port}`
  const buses: Awaited<ReturnType<typeof connectBus>>[] = []
  const bus: PrivateNats['bus'] = async (service, more = {}) => {
    const made = await connectBus({ service, url, user: service, password: passwords[service], ...more })
    buses.push(made)
    return made
  }
  await makeStreams((await bus('console')).connection)
  return {
    url,
    port,
    pid: 0,
    passwords,
    bus,
    crash: async () => await raw.kill({ signal: 'SIGKILL' }),
    start: async () => await raw.start(),
    close: async () => {
      await Promise.allSettled(buses.map((b) => b.close()))
      await container.stop()
    },
  }
}
