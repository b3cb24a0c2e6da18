import {
  Alert,
  Anchor,
  AppShell,
  Badge,
  Button,
  Grid,
  Group,
  Paper,
  PasswordInput,
  ScrollArea,
  Stack,
  Text,
  Title,
} from '@mantine/core'
import { useEffect, useState } from 'react'
import { ApiProblem, keepToken, openDemonstration, type PresenceState, read, type TrunkView } from './api.ts'
import { CallTable } from './CallTable.tsx'
import { LadderView } from './LadderView.tsx'
import { useCalls, usePresence } from './live.ts'
import { WhatIf } from './WhatIf.tsx'

export function App() {
  const [admitted, setAdmitted] = useState<boolean>()
  useEffect(() => {
    read('/api/v1/calls?limit=1').then(
      () => setAdmitted(true),
      (e: Error) => setAdmitted(!(e instanceof ApiProblem && e.status === 401)),
    )
  }, [])
  if (admitted === undefined) return null
  return admitted ? <Board /> : <TokenForm />
}

function Board() {
  const { calls, connected } = useCalls(true)
  const presence = usePresence(true)
  const trunks = useTrunks()
  const view = useView()
  const [chosen, setChosen] = useState<string>()
  const call = calls.find((c) => c.callId === chosen)
  const live = calls.filter((c) => c.state !== 'ended').length
  return (
    <AppShell header={{ height: 52 }} padding="md">
      <AppShell.Header px="md">
        <Group h="100%" justify="space-between">
          <Group gap="sm">
            <Title order={3}>Tandem</Title>
            <Badge color={connected ? 'teal' : 'red'} variant="dot">
              {connected ? `${live} live` : 'reconnecting'}
            </Badge>
          </Group>
          <Group gap="md">
            <Anchor href={view === 'calls' ? '#what-if' : '#calls'} size="sm">
              {view === 'calls' ? 'What if?' : 'Live calls'}
            </Anchor>
            <Anchor href="/api/docs" size="sm">
              HTTP API
            </Anchor>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Main>
        <Stack gap="md">
          {openDemonstration && (
            <Alert color="yellow" p="xs">
              Demonstration: whoever asks from this machine is admin. A real installation needs a token.
            </Alert>
          )}
          <Group gap="xs">
            {trunks.map((t) => (
              <TrunkBadge key={t.name} trunk={t} />
            ))}
            {presence.map((p) => (
              <PresenceBadge key={p.user} state={p} />
            ))}
          </Group>
          {view === 'what-if' && <WhatIf />}
          <Grid display={view === 'calls' ? undefined : 'none'}>
            <Grid.Col span={{ base: 12, xl: 6 }}>
              <Paper withBorder radius="md">
                <ScrollArea.Autosize mah="75vh">
                  <CallTable calls={calls} chosen={chosen} choose={setChosen} />
                </ScrollArea.Autosize>
              </Paper>
            </Grid.Col>
            <Grid.Col span={{ base: 12, xl: 6 }}>
              {call ? <LadderView call={call} /> : <Text c="dimmed">Click a call to see its ladder.</Text>}
            </Grid.Col>
          </Grid>
        </Stack>
      </AppShell.Main>
    </AppShell>
  )
}

type View = 'calls' | 'what-if'
const viewNow = (): View => (window.location.hash === '#what-if' ? 'what-if' : 'calls')

/** `#what-if` is a place of its own: it can be kept as a bookmark. */
function useView(): View {
  const [view, setView] = useState(viewNow)
  useEffect(() => {
    const look = () => setView(viewNow())
    window.addEventListener('hashchange', look)
    return () => window.removeEventListener('hashchange', look)
  }, [])
  return view
}

const healthColours: Record<string, string> = { up: 'teal', probing: 'yellow', down: 'red', drain: 'orange' }

function TrunkBadge({ trunk }: { trunk: TrunkView }) {
  const { health, registered, roundTripMs } = trunk.state
  return (
    <Badge color={healthColours[health] ?? 'gray'} variant="light" tt="none" title={trunk.state.why}>
      trunk {trunk.name}: {health}
      {registered === undefined ? '' : registered ? ', registered' : ', not registered'}
      {roundTripMs === undefined ? '' : `, ${roundTripMs.toFixed(1)} ms`}
    </Badge>
  )
}

const presenceColours: Record<string, string> = {
  available: 'teal',
  busy: 'red',
  dnd: 'red',
  away: 'yellow',
  offline: 'gray',
}

function PresenceBadge({ state }: { state: PresenceState }) {
  const onThePhone = state.activities.includes('on-the-phone')
  return (
    <Badge color={presenceColours[state.availability] ?? 'gray'} variant="dot" tt="none" data-presence={state.user}>
      {state.user}: {onThePhone ? `on the phone${state.device === 'mobile' ? ' (mobile)' : ''}` : state.availability}
    </Badge>
  )
}

function useTrunks(): TrunkView[] {
  const [trunks, setTrunks] = useState<TrunkView[]>([])
  useEffect(() => {
    const load = () =>
      read<{ trunks: TrunkView[] }>('/api/v1/trunks').then(
        (r) => setTrunks(r.trunks),
        () => {},
      )
    void load()
    const timer = setInterval(() => void load(), 5000)
    return () => clearInterval(timer)
  }, [])
  return trunks
}

function TokenForm() {
  const [token, setToken] = useState('')
  return (
    <Stack maw={420} mx="auto" mt={120}>
      <Title order={3}>Tandem</Title>
      <Text size="sm">A token is needed. The first start wrote one into the data folder: secrets/api-token.</Text>
      <PasswordInput label="Token" value={token} onChange={(e) => setToken(e.currentTarget.value)} />
      <Button
        onClick={() => {
          keepToken(token.trim())
          location.reload()
        }}
      >
        Go on
      </Button>
    </Stack>
  )
}
