"""Domains below which strangers live side by side: whoever signs for all of one signs for nobody in it. No list of public
suffixes is complete and none is shipped; this one is of those that helpdesks and companies of Russia and its neighbours are
met at. What it lacks is told by DMARC, which the mail server checks with a list of its own."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Second levels that registries of many countries share out: co.uk, com.ua, msk.ru.
_SHARED_OUT = _words("""
    ac asso biz co com edu firm gen go gob gouv gov govt id ind inf info int k12 ltd ma me mil mob mod museum name ne net nhs
    nic nom or org plc police pp press pro res sch tm web
""")
# Cities and regions of .ru, .su, .ua, .by, .kz and .jp, as their registries share them out.
_PLACES = _words("""
    abakan abkhazia adygeya aktyubinsk altai amur amursk arkhangelsk arkhangelskobl armenia ashgabad astrakhan azerbaijan
    balashov bashkiria bashkirija belgorod bir bryansk bukhara buryatia cap cbg chel chelyabinsk chimkent chita chukotka
    chuvashia cmw dagestan dudinka e-burg east-kazakhstan exnet fareast georgia grozny irkutsk ivanovo izhevsk jamal jambyl
    jar joshkar-ola k-uralsk kalmykia kaluga kamchatka karacol karaganda karelia kazan kchr kemerovo khabarovsk khakassia khv
    kirov kms koenig komi kostroma krasnodar krasnoyarsk kuban kurgan kursk kustanai kuzbass lenug lipetsk magadan magnitka
    mangyshlak mari mari-el marine mordovia mosreg msk murmansk mytis nakhodka nalchik navoi nkz nnov nord norilsk
    north-kazakhstan nov novosibirsk nsk obninsk omsk orenburg oryol oskol palana penza perm pokrovsk pskov ptz pyatigorsk rnd
    rubtsovsk ryazan sakhalin samara saratov simbirsk smolensk snz sochi spb stavropol stv surgut syzran tambov tashkent
    tatarstan termez tlt togliatti tom tomsk troitsk tsaritsyn tsk tselinograd tula tuva tver tyumen udm udmurtia ulan-ude
    ural vdonsk vladikavkaz vladimir vladivostok volgograd vologda voronezh vrn vyatka yakutia yamal yaroslavl yekaterinburg
    yuzhno-sakhalinsk zgrad cherkassy cherkasy chernigov chernihiv chernivtsi chernovtsy ck cn crimea cv dn dnepropetrovsk
    dnipropetrovsk donetsk dp if ivano-frankivsk kh kharkiv kharkov kherson khmelnitskiy khmelnytskyi kiev kirovograd kr krym
    ks kv kyiv lg lt lugansk lutsk lv lviv mk mykolaiv nikolaev od odesa odessa poltava rivne rovno rv sb sebastopol
    sevastopol sumy te ternopil uz uzhgorod vinnica vinnytsia vn volyn yalta zaporizhzhe zaporizhzhia zhitomir zhytomyr zp zt
    minsk tokyo osaka kyoto
""")
_OF_PLACES = ("ru", "su", "ua", "by", "kz", "jp", "com.ru", "com.ua")
# Services that give each customer a name, or a host, below their own; and all below these.
_HOSTS = _words("""
    amazonaws.com amazonses.com appspot.com atlassian.net atwebpages.com azure.com azurewebsites.net azurestaticapps.net
    beget.app beget.tech bitrix24.com bitrix24.ru blogspot.com cloudapp.net cloudflare.net cloudfront.net cloudwaysapps.com
    ddns.net dreamhosters.com duckdns.org dyndns.org eu.org firebaseapp.com fly.dev freshdesk.com freshservice.com
    freshworks.com fvds.ru github.io gitlab.io googleapis.com happyfox.com helpscoutapp.com herokuapp.com hosting-test.net
    hubspot.com ispmanager.name jino.ru kayako.com mailgun.org mailchimpapp.com mcdir.ru myfreshworks.com myjino.ru
    mypagecloud.com narod.ru netlify.app ngrok.app ngrok.io nichost.ru no-ip.org okdesk.ru omnidesk.ru onmicrosoft.com
    onrender.com pages.dev planfix.ru pythonanywhere.com railway.app regruhosting.ru run.app salesforce.com sendgrid.net
    service-now.com servicenow.com sharepoint.com simplesend.ru sparkpostmail.com supportsystem.com tilda.ws timeweb.cloud
    timeweb.ru tmweb.ru tw1.ru ucoz.net ucoz.ru usedesk.ru vercel.app web.app windows.net wixsite.com wordpress.com
    workers.dev yandexcloud.net zammad.com zendesk.com zohodesk.com zohodesk.eu
""")


def is_shared(domain: str) -> bool:
    """Whether strangers live below `domain` side by side, as far as is known; so they do below what has one label."""
    first, _, rest = domain.lower().partition(".")
    if not rest:
        return True
    if "." not in rest and first in _SHARED_OUT:
        return True
    if rest in _OF_PLACES and (first in _PLACES or first in _SHARED_OUT):
        return True
    labels = domain.lower().split(".")
    return any(".".join(labels[at:]) in _HOSTS for at in range(len(labels)))
