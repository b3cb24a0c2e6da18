import { createLogger } from '@tandem/observability/log.ts'
import { startRtpengine, whyNoRtpengine } from '@tandem/testing/rtpengine.ts'
import { openMediaRelay } from '../src/adapters/media-relay.ts'
import { openRtpengine } from '../src/adapters/rtpengine.ts'
import { somePorts } from './call-edge.ts'
import { type EngineUnderTest, mediaSuite } from './media-suite.ts'

const now = () => performance.now()
const log = createLogger({ service: 'edge-proxy', level: 'silent' })

function embedded() {
  const firstPort = Number(somePorts().split('-')[0])
  return openMediaRelay({ address: '127.0.0.1', firstPort, lastPort: firstPort + 199, now })
}

mediaSuite(
  'the embedded relay',
  async () => {
    const engine = embedded()
    return { engine, ownCount: true, ownKeys: true, close: () => engine.close() }
  },
  undefined,
)

mediaSuite(
  'rtpengine',
  async (): Promise<EngineUnderTest> => {
    const daemon = await startRtpengine()
    const engine = openRtpengine({ control: [daemon.control], now, log, reserve: embedded() })
    return {
      engine,
      ownCount: false,
      ownKeys: false,
      async close() {
        await engine.close()
        await daemon.close()
      },
    }
  },
  whyNoRtpengine(),
)
