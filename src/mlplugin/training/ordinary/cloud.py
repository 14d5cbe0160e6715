"""Hosts of clouds, content networks and hosting platforms."""

from __future__ import annotations

import random
from collections.abc import Sequence

from mlplugin.training.ordinary.parts import (
    BASE36,
    HEX,
    THINGS,
    Maker,
    digits,
    from_patterns,
    label_of,
    text,
)

_AZURE = ("eastus", "westus", "westeurope", "northeurope", "southeastasia", "uksouth", "centralus")
_ZONES = (
    "azurewebsites.net", "blob.core.windows.net", "table.core.windows.net", "azureedge.net",
    "trafficmanager.net", "cloudapp.azure.com", "servicebus.windows.net", "vault.azure.net",
    "database.windows.net", "azurefd.net", "herokuapp.com", "appspot.com", "run.app",
    "firebaseio.com", "web.app", "cloudfunctions.net", "netlify.app", "vercel.app",
    "fastly.net", "global.ssl.fastly.net", "b-cdn.net", "kxcdn.com", "llnwi.net", "cdn77.org",
    "edgekey.net", "edgesuite.net", "akadns.net", "cdn.cloudflare.net", "hwcdn.net",
    "azure-api.net", "redis.cache.windows.net", "queue.core.windows.net", "file.core.windows.net",
    "onrender.com", "fly.dev", "up.railway.app", "deno.dev", "github.io", "gitlab.io",
    "azurecontainerapps.io", "azurestaticapps.net", "firebaseapp.com", "cdn77.net",
    "workers.dev", "pages.dev", "supabase.co", "netlifyglobalcdn.com", "edgecastcdn.net",
    "stackpathcdn.com", "bunny.run", "cdngslb.com", "alicdn.com", "kunlunsl.com", "w.kunlunar.com",
    "myqcloud.com", "qiniudns.com", "tbcache.com", "wscdns.com", "lxdns.com", "yundunwaf3.com",
)  # fmt: skip


def platform(rng: random.Random, domains: Sequence[str]) -> str:
    """A customer's host on somebody's platform."""
    word = label_of(rng, domains)
    purpose = rng.choice(("prod", "dev", "staging", "api", "web", "test"))
    host = rng.choice(
        (
            f"{word}-{rng.choice(_AZURE)}-{text(rng, HEX, 4, 8)}",
            text(rng, BASE36, 6, 16),
            word,
            rng.choice(domains),
            f"{word}-{purpose}",
            f"{word}{rng.randint(1, 99)}",
            f"{word}-{text(rng, HEX, 6, 12)}-{text(rng, BASE36, 4, 6)}",
        )
    )
    return f"{host}.{rng.choice(_ZONES)}"


aws = from_patterns(
    "ec2-{-}.{r}.compute.amazonaws.com", "ec2-{-}.compute-1.amazonaws.com",
    "{h32}.{r}.elb.amazonaws.com", "{w}-{n9-10}.{r}.elb.amazonaws.com",
    "internal-{w}-{n9-10}.{r}.elb.amazonaws.com", "{h32}-{h16}.elb.{r}.amazonaws.com",
    "{w}-nlb-{h16}.elb.{r}.amazonaws.com", "k8s-{l8}-{l8}-{h10}-{n9-10}.{r}.elb.amazonaws.com",
    "{x10}.execute-api.{r}.amazonaws.com", "{x6-20}.s3.dualstack.{r}.amazonaws.com",
    "{w}.s3.{r}.amazonaws.com", "{w}-assets-{n12}.s3.amazonaws.com", "{w}.s3-{r}.amazonaws.com",
    "d{x12}.cloudfront.net", "d{x13}.cloudfront.net", "d{x11-13}.cloudfront.net",
    "{w}.{l12}.{r}.rds.amazonaws.com", "{w}-prod.cluster-{x12}.{r}.rds.amazonaws.com",
    "{w}.{x6}.0001.{x4}.cache.amazonaws.com", "master.{w}.{x6}.{x4}.cache.amazonaws.com",
    "search-{w}-{x26}.{r}.es.amazonaws.com", "{x14}-ats.iot.{r}.amazonaws.com",
    "vpce-{h17}-{x8}.vpce-svc-{h17}.{r}.vpce.amazonaws.com",
    "{x26}.appsync-api.{r}.amazonaws.com",
    "{h32}.gr7.{r}.eks.amazonaws.com", "{n12}.dkr.ecr.{r}.amazonaws.com",
    "{x32}.lambda-url.{r}.on.aws", "fs-{h8}.efs.{r}.amazonaws.com",
    "{x13}.awsglobalaccelerator.com",
    "a{h16}.awsglobalaccelerator.com", "main.d{x13}.amplifyapp.com",
    "{x10}.{r}.awsapprunner.com",
    "{w}.{r}.elasticbeanstalk.com", "{w}-env.eba-{x8}.{r}.elasticbeanstalk.com",
    "b-{u}-1.mq.{r}.amazonaws.com", "ip-{-}.{r}.compute.internal",
    "{w}.auth.{r}.amazoncognito.com",
)  # fmt: skip

azure = from_patterns(
    "{w}{h8}.blob.core.windows.net", "{w}.privatelink.blob.core.windows.net",
    "{w}-{x8}.z01.azurefd.net", "{w}-{x16}.b01.azurefd.net", "{u}.cloudapp.net",
    "waws-prod-am2-{n3}.sip.azurewebsites.windows.net",
    "{w}-{x12}.westeurope-01.azurewebsites.net",
    "waws-prod-{l3}-{h6}.cloudapp.net", "{u}.{l2}.azurehdinsight.net", "{w}.search.windows.net",
    "{w}.{l8}-{h8}.eastus.azurecontainerapps.io", "{l5}-{l5}-{h9}.azurestaticapps.net",
    "{l6}-{l5}-0{h8}.5.azurestaticapps.net", "{w}.documents.azure.com",
    "{w}.servicebus.windows.net",
    "{w}-aks-{h8}.hcp.northeurope.azmk8s.io", "{u}.ods.opinsights.azure.com",
    "{u}.oms.opinsights.azure.com", "{u}.agentsvc.azure-automation.net", "{w}.openai.azure.com",
    "{w}.vault.azure.net", "{w}.azurecr.io", "{w}.database.windows.net",
    "{w}.cognitiveservices.azure.com",
    "cr{n1-2}.westeurope{n1}-a.control.database.windows.net",
    "p{n2}-web-{n1}.{w}.trafficmanager.net",
    "{w}-{l3}-{h6}.trafficmanager.net", "az{n6}.vo.msecnd.net", "{w}.vo.msecnd.net",
    "{h32}.{n2}.environment.api.powerplatform.com", "{w}.crm{n1}.dynamics.com",
    "{w}.sharepoint.com",
    "{w}.onmicrosoft.com", "{w}-my.sharepoint.com", "{x15}.southindia.cloudapp.azure.com",
    "prod-{n2}.{c}west.logic.azure.com", "{w}.scm.azurewebsites.net", "cs{n1}.wpc.v0cdn.net",
)  # fmt: skip

google = from_patterns(
    "{w}-{x10}-uc.a.run.app", "{w}-{x10}-ew.a.run.app", "{w}-{n12}.europe-west1.run.app",
    "{w}-{n6}.appspot.com", "{w}-{n5}.uc.r.appspot.com", "{w}-dot-{w}-{n6}.ew.r.appspot.com",
    "{n12}-{x32}.apps.googleusercontent.com", "{-}.bc.googleusercontent.com",
    "{a}.bc.googleusercontent.com", "lh{n1}.googleusercontent.com",
    "{l3}{n2}s{n2}-in-f{n1-2}.1e100.net",
    "r{n1}---sn-{x6-12}.googlevideo.com", "rr{n1}---sn-{x7-12}.googlevideo.com",
    "rr{n1}.sn-{x8-12}.gvt1.com", "{x26}-{n12}.europe-west1.cloudshell.dev",
    "{w}-{x5}.firebaseapp.com",
    "europe-west1-{w}-{n6}.cloudfunctions.net", "{w}-default-rtdb.firebaseio.com",
    "s-usc1c-nss-{n3}.firebaseio.com", "{w}-{h5}.web.app",
    "{h12}-dot-us-central1.composer.googleusercontent.com",
    "{x46}-0-apps-viewer.googleusercontent.com", "{n1}-ps.googleusercontent.com",
    "gcr-{x8}.pkg.dev",
    "{w}.translate.goog", "{w}-com.cdn.ampproject.org", "{h16}-{h8}.europe-north1.gke.goog",
    "{x51}.safeframe.usercontent.goog", "doc-{h2}-{h2}-docs.googleusercontent.com",
    "{b51}.ipv6.1e100.net",
)  # fmt: skip

edge = from_patterns(
    "e{n1-5}.a.akamaiedge.net", "e{n3-6}.dscb.akamaiedge.net", "e{n3-5}.dscx.akamaiedge.net",
    "e{n4}.g.akamaiedge.net", "a{n2-4}.dscd.akamai.net", "a{n3-4}.dscg{n1}.akamai.net",
    "a{n2-4}.b.akamai.net",
    "{d}.edgekey.net", "{d}.edgesuite.net", "{d}.edgekey.net.globalredir.akadns.net",
    "{w}.map.fastly.net", "{w}.map.fastlylb.net", "{w}.global.ssl.fastly.net",
    "dualstack.{w}.map.fastly.net",
    "{l1}.sni.global.fastly.net", "{x10}.map.fastly.net", "{d}.cdn.cloudflare.net",
    "{d}.c.footprint.net",
    "{w}-{h6}.b-cdn.net", "{w}.b-cdn.net", "{w}-{h4}.kxcdn.com", "{n6-10}.rsc.cdn77.org",
    "{d}.w.kunlunsl.com",
    "{d}.cdngslb.com", "{d}.{h8}.cdn.dnsv1.com", "{d}.eo.dnse1.com", "{x20}.stackpathdns.com",
    "{x6}.impervadns.net",
    "{x10}.incapdns.net", "{x5}.x.incapdns.net", "{h32}.{d}.cdn.cloudflare.net",
    "{w}.llnwd.net",
    "{w}.vo.llnwd.net", "{w}.hs.llnwd.net", "gs{n1}.wpc.edgecastcdn.net",
    "cs{n3}.wac.edgecastcdn.net",
    "{w}.gslb.com", "wpc.{x4}.edgecastcdn.net", "{l2}-{x6}.cdn.shopify.com",
    "{x8}.cdn.digitaloceanspaces.com",
    "ipv4-c{n3}-{l3}{n3}-ix.1.oca.nflxvideo.net",
    "ipv6-c{n3}-{l3}{n3}-{w}-isp.1.oca.nflxvideo.net",
    "scontent-{l3}{n1}-{n1}.xx.fbcdn.net", "video-{l3}{n1}-{n1}.xx.fbcdn.net",
    "scontent.f{l3}{n2}-{n1}.fna.fbcdn.net",
    "instagram.f{l3}{n1}-{n1}.fna.fbcdn.net", "media-{l3}{n1}-{n1}.cdn.whatsapp.net",
    "v{n2}-{h8}.tiktokcdn.com",
    "vod-adaptive-ak.{w}cdn.com", "video-weaver.{l3}{n2}.hls.ttvnw.net",
    "{x14}.cloudfront.net.{d}",
    "{h32}.cdn.jwplayer.com", "sn-{x5-9}.steamcontent.com",
    "cache{n1-2}-{l3}{n1}.steamcontent.com",
    "vcache{n2}-{l3}-{n2}.footprint.net", "{l2}{n1}-{x6}.{d}.lswcdn.net", "s{n1-2}.{w}-cdn.net",
)  # fmt: skip

previews = from_patterns(
    "{h24}--{w}.netlify.app", "deploy-preview-{n1-4}--{w}.netlify.app",
    "{w}-{x9}-{w}.vercel.app",
    "{w}-git-main-{w}.vercel.app", "{w}-git-{w}-{x6}.vercel.app", "{w}.{w}.workers.dev",
    "{w}-api.{w}.workers.dev",
    "{h8}.{w}.pages.dev", "{w}-{h12}.herokuapp.com", "{l6}-{l6}-{n4-5}.herokuapp.com",
    "{w}-{x4}.onrender.com",
    "{w}-production-{h4}.up.railway.app", "{w}-{n4}.fly.dev", "{l20}.supabase.co",
    "db.{l20}.supabase.co",
    "ep-{l5}-{l6}-{x8}.{r}.aws.neon.tech", "cluster{n1}-shard-00-{n2}.{x5}.mongodb.net",
    "cluster0.{x5-7}.mongodb.net",
    "{h32}.{r}.aws.found.io", "{h32}.eu-central-1.aws.cloud.es.io",
    "{w}-{h16}.snowflakecomputing.com",
    "{x7}-{x7}.snowflakecomputing.com", "dbc-{h8}-{h4}.cloud.databricks.com",
    "adb-{n16}.{n1-2}.azuredatabricks.net",
    "lkc-{x6}.{r}.aws.confluent.cloud", "pkc-{x5}.{r}.aws.confluent.cloud",
    "{h8}-{h4}-{h4}.app.n8n.cloud",
    "{u}.mock.pstmn.io", "{w}-{x8}.gitpod.io", "{w}-{x16}-{n4}.app.github.dev", "{x6}.csb.app",
    "{x10}.stackblitz.io",
    "{w}.readthedocs.io", "{w}.github.io", "{w}.gitlab.io", "{w}.atlassian.net",
    "{w}.zendesk.com", "{w}.myshopify.com",
    "{h6}-{h2}.myshopify.com", "{w}.wixsite.com", "{w}.wordpress.com", "{w}.blogspot.com",
    "{w}.okta.com",
    "dev-{n8}.okta.com", "dev-{x16}.eu.auth0.com", "{w}.my.salesforce.com",
    "{x12}.my.salesforce-sites.com",
    # Developers show their own machine by these every day, and so do crooks.
    "{h4}-{n1-3}-{n1-3}-{n1-3}-{n1-3}.ngrok-free.app", "{h12}.ngrok-free.app", "{h8}.ngrok.io",
    "{w}.ngrok.app", "{w}-{w}-{w}-{w}.trycloudflare.com", "{x8}-{n4}.{l3}.devtunnels.ms",
    "{w}-{w}-{n2}.loca.lt", "{h32}.serveo.net",
    "{w}--c.visualforce.com", "{w}.service-now.com", "dev{n5-6}.service-now.com",
    "{w}.lightning.force.com",
)  # fmt: skip

_PROJECTS = (
    "blog", "docs", "portfolio", "dashboard", "demo", "app", "starter", "shop", "resume", "cv",
    "meetup", "wedding", "todo", "weather", "recipes", "notes", "landing", "quiz", "game",
    "gallery", "calendar", "tracker", "converter", "playground", "sandbox", "course", "workshop",
    "library", "template", "theme", "homepage", "studio", "photos", "music", "chess", "budget",
    "planner", "timer", "map", "wiki", "club", "school", "clinic", "garden", "kitchen", "fitness",
    "react", "vue", "svelte", "astro", "hugo", "jekyll", "rust", "python", "flask", "express",
    "nextjs", "remix", "graphql", "api", "frontend", "backend", "admin", "preview", "staging",
    "team", "family", "events", "conference", "podcast", "newsletter", "magazine", "radio",
)  # fmt: skip
_HOSTED = (
    "vercel.app", "netlify.app", "pages.dev", "web.app", "firebaseapp.com", "github.io",
    "gitlab.io", "onrender.com", "surge.sh", "glitch.me", "fly.dev", "herokuapp.com",
    "wixsite.com", "weebly.com", "blogspot.com", "wordpress.com", "workers.dev",
    "azurewebsites.net", "repl.co", "framer.app", "webflow.io", "carrd.co", "my.canva.site",
    "r2.dev", "streamlit.app", "hashnode.dev", "translate.goog", "up.railway.app", "deno.dev",
)  # fmt: skip


def project(rng: random.Random, domains: Sequence[str]) -> str:
    """What people call their own small sites on somebody's platform."""
    word = rng.choice(_PROJECTS)
    other = rng.choice((rng.choice(_PROJECTS), rng.choice(THINGS), label_of(rng, domains)))
    third = rng.choice((rng.choice(_PROJECTS), rng.choice(THINGS), digits(rng, 1, 4)))
    label = rng.choice(
        (
            f"{other}-{word}",
            f"{word}-{other}",
            f"{other}-{word}-{third}",
            f"{other}-{third}-{word}",
            f"my-{other}-{word}",
            f"our{word}-{third}",
            f"{other}{word}",
            f"{rng.choice(THINGS)}-{rng.choice(THINGS)}-{rng.choice(THINGS)}",
            f"{other}-git-main-{word}",
            f"{text(rng, HEX, 8)}.{other}-{word}",
        )
    )
    return f"{label}.{rng.choice(_HOSTED)}"


KINDS: tuple[Maker, ...] = (platform, aws, azure, google, edge, previews)
