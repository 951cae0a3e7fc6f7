import type { DefaultTheme } from 'vitepress';
import packageJson from '../../package.json' with { type: 'json' };

const page = (link: string, text: string): DefaultTheme.SidebarItem => ({ link, text });

/** Every page that is written by hand, in the order in which it is worth reading. */
export const PAGES: DefaultTheme.SidebarItem[] = [
  {
    text: 'Guide',
    items: [
      page('/guide/getting-started', 'Getting started'),
      page('/guide/nesting', 'How stages nest'),
      page('/guide/configuration', 'Configuration'),
      page('/guide/deadlines', 'Deadlines and cancellation'),
      page('/guide/storms', 'Storms'),
      page('/guide/across-services', 'Across services'),
      page('/guide/transports', 'Handlers and transports'),
      page('/guide/by-key', 'One for each tenant'),
      page('/guide/shedding', 'Shedding'),
      page('/guide/fleet', 'Fleet'),
      page('/guide/chaos', 'Chaos'),
      page('/guide/testing', 'Testing'),
      page('/guide/own-stage', 'A stage of your own'),
    ],
  },
  {
    text: 'Policies',
    items: [
      page('/policies/retry', '@Retry'),
      page('/policies/circuit-breaker', '@CircuitBreaker'),
      page('/policies/timeout', '@Timeout'),
      page('/policies/bulkhead', '@Bulkhead'),
      page('/policies/rate-limit', '@RateLimit'),
      page('/policies/hedge', '@Hedge'),
      page('/policies/fallback', '@Fallback'),
      page('/policies/critical', '@Critical'),
      page('/policies/coalesce', '@Coalesce'),
      page('/policies/upstream', '@Upstream and @Resilience'),
    ],
  },
  {
    text: 'Operations',
    items: [
      page('/operations/checklist', 'Production checklist'),
      page('/operations/telemetry', 'Logs, events, metrics, traces'),
      page('/operations/health', 'Health checks'),
      page('/operations/dashboard', 'Dashboard and admin API'),
      page('/operations/alerts', 'Alerts and runbooks'),
      page('/operations/tuning', 'Tuning'),
      page('/operations/run-time', 'Changes at run time'),
      page('/operations/shadow', 'Shadow mode'),
      page('/operations/memory', 'Memory across restarts'),
      page('/operations/shutdown', 'When the application closes'),
      page('/operations/troubleshooting', 'Troubleshooting'),
    ],
  },
  {
    text: 'Recipes',
    items: [
      page('/recipes/axios', 'axios'),
      page('/recipes/fetch', 'fetch'),
      page('/recipes/prisma', 'Prisma'),
      page('/recipes/typeorm', 'TypeORM'),
      page('/recipes/mongoose', 'Mongoose'),
      page('/recipes/bullmq', 'BullMQ'),
      page('/recipes/kafka', 'Kafka'),
      page('/recipes/rabbitmq', 'RabbitMQ'),
      page('/recipes/grpc', 'gRPC'),
      page('/recipes/graphql', 'GraphQL'),
      page('/recipes/streams', 'SSE and LLM streams'),
      page('/recipes/websockets', 'WebSockets'),
      page('/recipes/multi-tenant', 'Multi-tenant'),
      page('/recipes/serverless', 'Serverless'),
      page('/recipes/monorepo', 'Monorepo and SWC'),
    ],
  },
  {
    text: 'Coming from',
    items: [
      page('/migrate/nestjs-official', '@nestjs/resilience'),
      page('/migrate/nestjs-resilience', 'nestjs-resilience'),
      page('/migrate/opossum', 'opossum'),
      page('/migrate/cockatiel', 'cockatiel'),
      page('/migrate/axios-retry', 'axios-retry and p-retry'),
      page('/migrate/resilience4j', 'resilience4j'),
    ],
  },
  {
    text: 'Project',
    items: [
      page('/project/comparison', 'How it compares'),
      page('/project/performance', 'What it costs'),
      page('/project/architecture', 'Architecture'),
      page('/project/stability', 'Stability promise'),
      page('/project/changelog', 'Changelog'),
    ],
  },
];

/** The entry points alone: the page of each lists its names, and a menu of all would be in each page's HTML. */
export const REFERENCE: DefaultTheme.SidebarItem[] = [
  {
    text: 'Reference',
    items: Object.keys(packageJson.exports)
      .filter((path) => !path.endsWith('.json'))
      .map((path) =>
        page(`/reference/${path.slice(2) || 'index'}/`, `${packageJson.name}${path.slice(1)}`),
      ),
  },
];
