import {
  Catch,
  Controller,
  Get,
  Module,
  Req,
  UseGuards,
  type ArgumentsHost,
  type ExecutionContext,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyReply, FastifyRequest } from 'fastify'
import jwksAuth, {
  authenticate,
  authorize,
  JwksAuthError,
  type AuthorizeOptions,
  type IssuerOptions,
} from 'fastify-jwks-auth'

// #region guard
/** Requires a valid token, and what the rule requires. */
export function Authorize(rule?: AuthorizeOptions): ClassDecorator & MethodDecorator {
  const hook = rule ? authorize(rule) : authenticate
  return UseGuards({
    async canActivate(context: ExecutionContext) {
      const http = context.switchToHttp()
      await hook(http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>())
      return true
    },
  })
}

/** Without this filter Nest answers 500, because a refusal is no HttpException. */
@Catch(JwksAuthError)
export class RefusalFilter {
  catch({ statusCode, code, message }: JwksAuthError, host: ArgumentsHost) {
    return host
      .switchToHttp()
      .getResponse<FastifyReply>()
      .code(statusCode)
      .send({ statusCode, code, message })
  }
}
// #endregion

// #region app
@Controller()
class Orders {
  @Get('ping')
  ping() {
    return 'public'
  }

  @Get('me')
  @Authorize()
  me(@Req() request: FastifyRequest) {
    return request.user.sub
  }

  @Get('orders')
  @Authorize({ scope: 'read:orders' })
  orders() {
    return []
  }
}

@Module({ controllers: [Orders] })
class AppModule {}

export async function build(issuer: IssuerOptions): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter())
  app.useGlobalFilters(new RefusalFilter())
  await app.register(jwksAuth, issuer)
  return app
}
// #endregion
