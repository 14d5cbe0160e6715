"""Names that look odd and are everyday: the shipped model must never call them malicious."""

from __future__ import annotations

import pytest

from mlplugin.model import Model, load

ORDINARY = {
    "antivirus look-ups": [
        "0.0.0.0.1.0.0.4e.13cfus2drmdq3j8cafidezr8l6.avqs.mcafee.com",
        "8a7c19e0d3f24b6b9c55.cloud.sophosxl.net",
        "2.1.4.1000012.7a3b9c.i.07.s.sophosxl.net",
        "5d41402abc4b2a76b9719d911017c592.malware.hash.cymru.com",
    ],
    "block list look-ups": [
        "2.0.0.127.zen.spamhaus.org",
        "34.113.0.203.bl.spamcop.net",
        "example.com.multi.surbl.org",
        "7.100.51.198.b.barracudacentral.org",
    ],
    "cloud and CDN hosts": [
        "d3a7kz8l1mnpqr.cloudfront.net",
        "ec2-203-0-113-25.compute-1.amazonaws.com",
        "e1234.dscx.akamaiedge.net",
        "a1b2c3d4e5f6.us-east-1.elb.amazonaws.com",
        "prod-eastus-0f3b2c.azurewebsites.net",
        "r4---sn-4g5e6nzz.googlevideo.com",
        "1.2.3.4.example-dualstack.s3.dualstack.eu-west-1.amazonaws.com",
        "fra16s50-in-f14.1e100.net",
    ],
    "reverse zones": [
        "1.2.0.192.in-addr.arpa",
        "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        "lb._dns-sd._udp.0.1.168.192.in-addr.arpa",
    ],
    "service names": [
        "_ldap._tcp.dc._msdcs.corp.example.com",
        "_sip._tls.microsoft.com",
        "_dmarc.google.com",
        "selector1._domainkey.microsoft.com",
        "_443._tcp.www.ietf.org",
        "19c825e6-9f78-4ac4-96cd-8824b94318c8._msdcs.corp.local",
    ],
    "multicast DNS": [
        "_googlecast._tcp.local",
        "brother-mfc-l2710dw-3c2af4f1a2b3.local",
        "b1c2d3e4-0001-1000-8000-00805f9b34fb.local",
    ],
    "Kubernetes search paths": [
        "api.github.com.default.svc.cluster.local",
        "postgres-7d8f9c6b5-x2x9z.db.svc.cluster.local",
        "10-244-1-17.default.pod.cluster.local",
        "www.google.com.us-west-2.compute.internal",
    ],
    "telemetry": [
        "v10.events.data.microsoft.com",
        "settings-win.data.microsoft.com",
        "incoming.telemetry.mozilla.org",
        "app-measurement.com",
        "browser-intake-datadoghq.com",
    ],
    "pinyin and digits": ["163.com", "51job.com", "hao123.com", "zhihu.com", "jd.com", "360.cn"],
    "new top-level domains": ["abc.xyz", "web.dev", "blog.google", "linear.app", "join.slack.com"],
    "other scripts": [
        "xn--mnchen-3ya.de",
        "xn--fsqu00a.xn--0zwm56d",
        "xn--e1afmkfd.xn--p1ai",
    ],
    "very short": ["t.co", "x.com", "g.co", "qq.com", "vk.ru"],
    "very long": [
        "this-is-a-really-long-host-name-that-somebody-thought-was-funny.example.com",
        "a.very.deep.tree.of.many.labels.that.goes.on.and.on.wikipedia.org",
    ],
    "browser probes and hosts": ["xkqjzvwpmr", "wpad", "desktop-4kq2vbn", "printer.lan"],
}


@pytest.fixture(scope="module")
def model() -> Model:
    return load()


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in ORDINARY.items() for name in names]
)
def test_not_malicious(kind: str, name: str, model: Model) -> None:
    verdict = model.judge(name)
    assert verdict.level != "malicious", (kind, verdict)


@pytest.mark.parametrize("kind", ORDINARY)
def test_hardly_ever_suspicious(kind: str, model: Model) -> None:
    names = ORDINARY[kind]
    flagged = [name for name in names if model.judge(name).level != "benign"]
    assert len(flagged) <= len(names) // 4, flagged
