import {
  Alert,
  Badge,
  Button,
  Code,
  Grid,
  Group,
  List,
  Paper,
  Stack,
  Switch,
  Text,
  TextInput,
  ThemeIcon,
  Timeline,
  Title,
} from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { type ExplainPlace, type ExplainStep, type Explanation, explain } from './api.ts'
import { stages } from './what-if.ts'

/** Asks what would become of a call, and draws the answer: each stage that it passes, then where it would be tried. */
export function WhatIf() {
  const [from, setFrom] = useState('')
  const [to, setTo] = useState('')
  const [at, setAt] = useState('')
  const [asking, setAsking] = useState(false)
  const [all, setAll] = useState(false)
  const [answer, setAnswer] = useState<Explanation>()
  const [wrong, setWrong] = useState<string>()
  const ask = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setAsking(true)
    setWrong(undefined)
    try {
      setAnswer(await explain({ from, to, ...(at === '' ? {} : { at: new Date(at).toISOString() }) }))
    } catch (error) {
      setAnswer(undefined)
      setWrong((error as Error).message)
    } finally {
      setAsking(false)
    }
  }
  return (
    <Stack gap="md">
      <Paper withBorder radius="md" p="md">
        <form onSubmit={(event) => void ask(event)}>
          <Group align="end" gap="md">
            <TextInput
              label="Who calls"
              description="user, number or trunk"
              placeholder="alice"
              required
              value={from}
              onChange={(e) => setFrom(e.currentTarget.value)}
            />
            <TextInput
              label="dials"
              description="as it is dialled"
              placeholder="912065550100"
              required
              value={to}
              onChange={(e) => setTo(e.currentTarget.value)}
            />
            <TextInput
              label="at"
              description="now when left out"
              type="datetime-local"
              value={at}
              onChange={(e) => setAt(e.currentTarget.value)}
            />
            <Button type="submit" loading={asking}>
              What happens?
            </Button>
            <Switch
              label="show what did not match"
              checked={all}
              onChange={(e) => setAll(e.currentTarget.checked)}
              mb={8}
            />
          </Group>
        </form>
      </Paper>
      {wrong !== undefined && (
        <Alert color="red" title="No answer">
          {wrong}
        </Alert>
      )}
      {answer !== undefined && <Answer answer={answer} all={all} />}
    </Stack>
  )
}

function Answer({ answer, all }: { answer: Explanation; all: boolean }) {
  return (
    <Grid>
      <Grid.Col span={{ base: 12, lg: 6 }}>
        <Paper withBorder radius="md" p="md">
          <Text c="dimmed" size="sm" mb="md">
            {answer.localTime} · revision {answer.decision.revision}
          </Text>
          <Timeline bulletSize={20} lineWidth={2} active={99}>
            {stages(answer.steps).map(({ title, steps }) => (
              <Timeline.Item key={title} title={title}>
                <Steps steps={all ? steps : steps.filter(({ outcome }) => outcome !== 'no-match')} hidden={!all} />
              </Timeline.Item>
            ))}
          </Timeline>
        </Paper>
      </Grid.Col>
      <Grid.Col span={{ base: 12, lg: 6 }}>
        <Result answer={answer} />
      </Grid.Col>
    </Grid>
  )
}

const outcomeColours: Record<ExplainStep['outcome'], string> = {
  matched: 'teal',
  note: 'blue',
  skipped: 'yellow',
  'no-match': 'gray',
}
const outcomeMarks: Record<ExplainStep['outcome'], string> = { matched: '✓', note: 'i', skipped: '–', 'no-match': '·' }

function Steps({ steps, hidden }: { steps: readonly ExplainStep[]; hidden: boolean }) {
  if (steps.length === 0)
    return (
      <Text size="sm" c="dimmed">
        {hidden ? 'nothing matched' : 'nothing was looked at'}
      </Text>
    )
  return (
    <List size="sm" spacing={2} center>
      {steps.map((step, i) => (
        <List.Item
          // biome-ignore lint/suspicious/noArrayIndexKey: steps are told once and never move
          key={i}
          icon={
            <ThemeIcon color={outcomeColours[step.outcome]} variant="light" size={18} radius="xl">
              <Text size="xs">{outcomeMarks[step.outcome]}</Text>
            </ThemeIcon>
          }
        >
          <Text span size="sm" fw={step.outcome === 'matched' ? 600 : 400}>
            {step.item}
          </Text>{' '}
          <Text span size="sm" c="dimmed">
            {step.detail}
          </Text>
        </List.Item>
      ))}
    </List>
  )
}

function Result({ answer: { decision, emergency, places = [] } }: { answer: Explanation }) {
  if (decision.kind === 'reject')
    return (
      <Alert color="red" title={`Refused with SIP ${decision.status}`}>
        {decision.reason}
      </Alert>
    )
  return (
    <Stack gap="sm">
      <Group gap="xs">
        <Title order={4}>{decision.normalised ?? decision.callee.number ?? decision.dialled}</Title>
        <Badge color={emergency ? 'red' : 'gray'}>{emergency ? 'emergency call' : 'no emergency call'}</Badge>
        {decision.usage !== undefined && <Badge variant="light">usage {decision.usage}</Badge>}
        {decision.callee.user !== undefined && <Badge variant="light">for {decision.callee.user}</Badge>}
      </Group>
      {places.map((place, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: places are told once and never move
        <Place key={i} place={place} order={places.filter((p, j) => p.branch === place.branch && j <= i).length} />
      ))}
    </Stack>
  )
}

const healthColours: Record<string, string> = { up: 'teal', probing: 'yellow', down: 'red', drain: 'orange' }
const roles = { callee: '', mobile: 'at the same time, the mobile', forward: 'forwarded' } as const

function Place({ place, order }: { place: ExplainPlace; order: number }) {
  const { trunk, user, health = 'unknown', route, cost, admission, role, delayMs } = place
  const when = [roles[role], delayMs > 0 ? `after ${delayMs / 1000} s` : ''].filter((part) => part !== '').join(', ')
  return (
    <Paper withBorder radius="md" p="sm" data-place={trunk ?? user}>
      <Group gap="xs">
        <Badge circle>{order}</Badge>
        <Text fw={600}>{trunk === undefined ? user : `trunk ${trunk}`}</Text>
        {trunk === undefined ? (
          <Text size="sm">all registered phones ring</Text>
        ) : (
          <Badge color={healthColours[health] ?? 'gray'} variant="light">
            {health === 'unknown' ? 'health unknown' : health}
          </Badge>
        )}
        {place.quality?.demoted && <Badge color="orange">demoted by quality</Badge>}
        {route !== undefined && <Text size="sm">route {route}</Text>}
        {cost !== undefined && (
          <Text size="sm">
            {cost.perMinute === undefined ? `deck ${cost.deck}` : `${cost.perMinute} ${cost.currency ?? ''} a minute`}
          </Text>
        )}
        {admission?.maxCalls !== undefined && (
          <Badge color={admission.full ? 'red' : 'gray'} variant="light">
            {admission.calls ?? '?'} of {admission.maxCalls} calls
          </Badge>
        )}
        {when !== '' && (
          <Text size="sm" c="dimmed">
            {when}
          </Text>
        )}
      </Group>
      {trunk !== undefined && (
        <Code block mt="xs">
          {[
            `called   ${place.called}`,
            `calling  ${place.calling || '(none)'}`,
            ...(place.headers ?? []).map(([name, value]) => `${name}: ${value}`),
          ].join('\n')}
        </Code>
      )}
    </Paper>
  )
}
