/* SPDX-License-Identifier: Apache-2.0 */
/* bare.c: the API server's own limit: a client that does a claim's writes and nothing else, as fast
 * as it can */
#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/str.h"
#include "kube/config.h"

#define BODY_MAX (1U << 20)
#define WRITERS_MAX 256

/* What is written for each claim, in the order in which Berth does it (contracts.md 4, binding.md
 * 1). */
enum step {
	CLAIM_POST,
	BVOL_POST,
	BVOL_STATUS,
	PV_POST,
	PV_STATUS,
	CLAIM_PATCH,
	CLAIM_STATUS,
	STEPS
};

struct bench {
	struct kube_config config;
	CURLM *multi;
	struct curl_slist *json, *merge;
	char run[9];
	const char *class;
	const char *driver;
	long claims, next, done, errors, writes;
	int last; /* the step after which a claim is done */
	int writers;
};

/* One claim on its way. */
struct writer {
	struct bench *bench;
	CURL *easy;
	struct buf answer;
	char body[4096];
	char claim[64];
	char uid[UUID_TEXT_MAX];
	char rv[32];
	char pv_rv[32];
	int step;
};

static size_t on_data(char *data, size_t size, size_t n, void *userdata)
{
	struct writer *w = userdata;

	return buf_append(&w->answer, data, size * n) < 0 ? 0 : size * n;
}

/* The first "key":"value" of the answer; metadata comes before everything that could repeat these
 * keys. */
static void pick(const struct writer *w, const char *key, char *dst, size_t size)
{
	const char *p = w->answer.data ? strstr(w->answer.data, key) : NULL;

	dst[0] = '\0';
	if (!p)
		return;
	p += strlen(key);
	p += strspn(p, " :\"");
	str_copy_cut(dst, size < strcspn(p, "\"") + 1 ? size : strcspn(p, "\"") + 1, p);
}

/* $u uid, $c claim, $k class, $d driver, $r the claim's resourceVersion, $p the PV's. */
static const struct {
	const char *path;
	const char *body;
	bool patch;
} steps[STEPS] = {
	[CLAIM_POST] = {"/api/v1/namespaces/default/persistentvolumeclaims",
		"{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'$c'},'spec':"
		"{"
		"'accessModes':['ReadWriteMany'],'storageClassName':'$k','resources':{'requests':{"
		"'storage':'1Gi'}}}}",
		false},
	[BVOL_POST] = {"/apis/berth.dev/v1alpha1/berthvolumes",
		"{'apiVersion':'berth.dev/"
		"v1alpha1','kind':'BerthVolume','metadata':{'name':'pvc-$u',"
		"'labels':{'bench':'bare'}},'spec':{'driver':'nfs.berth.dev',"
		"'token':'0123456789abcdef0123456789abcdef','claim':{'namespace':'default','name':'"
		"$c',"
		"'uid':'$u'},'class':'$k','directory':'default-$c-pvc-$u','nfs':{'server':'127.0.0."
		"1',"
		"'export':'/"
		"export'},'capacity':'1Gi','permissions':{'uid':0,'gid':0,'mode':'0777'},"
		"'reclaim':'Delete','desired':'Present'}}",
		false},
	[BVOL_STATUS] = {"/apis/berth.dev/v1alpha1/berthvolumes/pvc-$u/status",
		"{'status':{'phase':'Ready','observedGeneration':1,'quota':'None'}}", true},
	[PV_POST] = {"/api/v1/persistentvolumes",
		"{'apiVersion':'v1','kind':'PersistentVolume','metadata':{'name':'pvc-$u','labels':"
		"{"
		"'bench':'bare'},'annotations':{'pv.kubernetes.io/provisioned-by':'$d',"
		"'berth.dev/token':'0123456789abcdef0123456789abcdef'}},'spec':{'capacity':{"
		"'storage':'1Gi'},'accessModes':['ReadWriteMany'],'persistentVolumeReclaimPolicy':"
		"'Retain','storageClassName':'$k','volumeMode':'Filesystem','claimRef':{'"
		"apiVersion':"
		"'v1','kind':'PersistentVolumeClaim','namespace':'default','name':'$c','uid':'$u'},"
		"'csi':{'driver':'$d','volumeHandle':'pvc-$u','volumeAttributes':{"
		"'server':'127.0.0.1','export':'/export','directory':'default-$c-pvc-$u'}}}}",
		false},
	[PV_STATUS] = {"/api/v1/persistentvolumes/pvc-$u/status",
		"{'metadata':{'resourceVersion':'$p'},'status':{'phase':'Bound'}}", true},
	[CLAIM_PATCH] = {"/api/v1/namespaces/default/persistentvolumeclaims/$c",
		"{'metadata':{'uid':'$u','annotations':{'pv.kubernetes.io/bind-completed':'yes',"
		"'pv.kubernetes.io/bound-by-controller':'yes','volume.kubernetes.io/"
		"storage-provisioner':"
		"'$d','volume.beta.kubernetes.io/"
		"storage-provisioner':'$d'}},"
		"'spec':{'volumeName':'pvc-$u'}}",
		true},
	[CLAIM_STATUS] = {"/api/v1/namespaces/default/persistentvolumeclaims/$c/status",
		"{'metadata':{'resourceVersion':'$r'},'status':{'phase':'Bound','accessModes':["
		"'ReadWriteMany'],'capacity':{'storage':'1Gi'}}}",
		true},
};

static const char *value_of(const struct writer *w, char name)
{
	switch (name) {
	case 'u':
		return w->uid;
	case 'c':
		return w->claim;
	case 'k':
		return w->bench->class;
	case 'd':
		return w->bench->driver;
	case 'r':
		return w->rv;
	default:
		return w->pv_rv;
	}
}

static void fill(const struct writer *w, const char *template, char *dst, size_t size)
{
	size_t n = 0;

	for (const char *p = template; *p && n + 128 < size; p++) {
		if (*p == '$')
			n += (size_t)snprintf(dst + n, 128, "%s", value_of(w, *++p));
		else
			dst[n++] = *p == '\'' ? '"' : *p;
	}
	dst[n] = '\0';
}

static void send_step(struct writer *w)
{
	struct bench *b = w->bench;
	bool patch = steps[w->step].patch;
	char path[512], url[1024];

	fill(w, steps[w->step].path, path, sizeof(path));
	fill(w, steps[w->step].body, w->body, sizeof(w->body));
	snprintf(url, sizeof(url), "%s%s", b->config.server, path);
	buf_reset(&w->answer);
	curl_easy_setopt(w->easy, CURLOPT_URL, url);
	curl_easy_setopt(w->easy, CURLOPT_CUSTOMREQUEST, patch ? "PATCH" : "POST");
	curl_easy_setopt(w->easy, CURLOPT_HTTPHEADER, patch ? b->merge : b->json);
	curl_easy_setopt(w->easy, CURLOPT_POSTFIELDS, w->body);
	curl_easy_setopt(w->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(w->body));
	curl_multi_add_handle(b->multi, w->easy);
}

static bool start_claim(struct writer *w)
{
	struct bench *b = w->bench;

	if (b->next >= b->claims)
		return false;
	snprintf(w->claim, sizeof(w->claim), "bare-%s-%ld", b->run, b->next++);
	w->step = CLAIM_POST;
	send_step(w);
	return true;
}

static void finished(struct writer *w, CURLcode code)
{
	struct bench *b = w->bench;
	long http = 0;

	curl_easy_getinfo(w->easy, CURLINFO_RESPONSE_CODE, &http);
	curl_multi_remove_handle(b->multi, w->easy);
	b->writes++;
	/* 409 and 422 in the binding steps: the controller was there first, as it may be with
	 * Berth. */
	if (code != CURLE_OK || http < 200 ||
		(http >= 300 && (w->step < PV_STATUS || http == 404))) {
		if (b->errors++ < 3)
			fprintf(stderr, "bare: step %d of %s: %s, HTTP %ld: %.300s\n", w->step,
				w->claim, curl_easy_strerror(code), http,
				str_or(w->answer.data, ""));
		start_claim(w);
		return;
	}
	if (w->step == CLAIM_POST)
		pick(w, "\"uid\"", w->uid, sizeof(w->uid));
	if (w->step == PV_POST)
		pick(w, "\"resourceVersion\"", w->pv_rv, sizeof(w->pv_rv));
	if (w->step == CLAIM_PATCH)
		pick(w, "\"resourceVersion\"", w->rv, sizeof(w->rv));
	if (w->step < b->last) {
		w->step++;
		send_step(w);
	} else {
		b->done++;
		start_claim(w);
	}
}

static CURL *easy_new(struct writer *w)
{
	const struct kube_config *c = &w->bench->config;
	CURL *e = curl_easy_init();
	struct curl_blob ca = {c->ca.data, c->ca.size, CURL_BLOB_COPY};
	struct curl_blob cert = {c->cert.data, c->cert.size, CURL_BLOB_COPY};
	struct curl_blob key = {c->key.data, c->key.size, CURL_BLOB_COPY};

	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, w);
	curl_easy_setopt(e, CURLOPT_PRIVATE, w);
	curl_easy_setopt(e, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	if (c->ca.data)
		curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &ca);
	else if (c->ca_file)
		curl_easy_setopt(e, CURLOPT_CAINFO, c->ca_file);
	if (c->cert.data) {
		curl_easy_setopt(e, CURLOPT_SSLCERT_BLOB, &cert);
		curl_easy_setopt(e, CURLOPT_SSLKEY_BLOB, &key);
	} else if (c->cert_file) {
		curl_easy_setopt(e, CURLOPT_SSLCERT, c->cert_file);
		curl_easy_setopt(e, CURLOPT_SSLKEY, c->key_file);
	}
	return e;
}

static void bench_run(struct bench *b, struct writer *writers)
{
	int running, left;
	CURLMsg *m;

	for (int i = 0; i < b->writers; i++)
		start_claim(&writers[i]);
	do {
		curl_multi_perform(b->multi, &running);
		while ((m = curl_multi_info_read(b->multi, &left))) {
			struct writer *w;

			curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &w);
			finished(w, m->data.result);
			running = 1;
		}
		if (running)
			curl_multi_poll(b->multi, NULL, 0, 1000, NULL);
	} while (running);
}

/* With the token of the kubeconfig, where it has one. */
static struct curl_slist *headers(const struct bench *b, const char *content_type)
{
	struct curl_slist *list = curl_slist_append(NULL, content_type);
	_cleanup_free_ char *token = NULL;

	if (!b->config.token)
		return list;
	if (!list || asprintf(&token, "Authorization: Bearer %s", b->config.token) < 0)
		return NULL;
	return curl_slist_append(list, token);
}

static int usage(FILE *to)
{
	fputs("usage: bare --kubeconfig FILE [--claims N] [--writers N] [--class NAME] [--driver "
	      "NAME] [--assist]\n"
	      "Writes for each claim what Berth writes (claim, BerthVolume, its status, PV; "
	      "--assist: the\n"
	      "binding too) and prints one line of JSON with claims and writes a second.\n",
		to);
	return to == stderr ? 2 : 0;
}

static int parse(struct bench *b, int argc, char **argv, struct err *e)
{
	static const struct option options[] = {{"kubeconfig", 1, NULL, 'k'},
		{"claims", 1, NULL, 'n'}, {"writers", 1, NULL, 'w'}, {"class", 1, NULL, 'c'},
		{"driver", 1, NULL, 'd'}, {"assist", 0, NULL, 'a'}, {"help", 0, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	const char *kubeconfig = NULL;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) >= 0)
		switch (o) {
		case 'k':
			kubeconfig = optarg;
			break;
		case 'n':
			b->claims = strtol(optarg, NULL, 10);
			break;
		case 'w':
			b->writers = (int)strtol(optarg, NULL, 10);
			break;
		case 'c':
			b->class = optarg;
			break;
		case 'd':
			b->driver = optarg;
			break;
		case 'a':
			b->last = CLAIM_STATUS;
			break;
		case 'h':
			exit(usage(stdout));
		default:
			return err_set(e, EINVAL, "unknown option");
		}
	if (b->claims < 1 || b->writers < 1 || b->writers > WRITERS_MAX)
		return err_set(e, EINVAL, "--claims and --writers (at most %d) must be positive",
			WRITERS_MAX);
	return kube_config_load(&b->config, kubeconfig, e);
}

static void report(const struct bench *b, uint64_t ns)
{
	double s = (double)ns / 1e9;

	printf("{\"claims\":%ld,\"errors\":%ld,\"seconds\":%.3f,\"claims_per_s\":%.1f,\"writes_per_"
	       "s\":%.1f}\n",
		b->done, b->errors, s, (double)b->done / s, (double)b->writes / s);
}

int main(int argc, char **argv)
{
	struct bench b = {.claims = 1000,
		.writers = 64,
		.class = "bare",
		.driver = "bare.berth.dev",
		.last = PV_POST};
	struct writer *writers;
	struct err e = ERR_NULL;
	uint64_t start;

	if (parse(&b, argc, argv, &e) < 0) {
		fprintf(stderr, "bare: %s\n", e.text);
		return usage(stderr);
	}
	snprintf(b.run, sizeof(b.run), "%08x", (unsigned)random_u64());
	curl_global_init(CURL_GLOBAL_DEFAULT);
	b.multi = curl_multi_init();
	curl_multi_setopt(b.multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	b.json = headers(&b, "Content-Type: application/json");
	b.merge = headers(&b, "Content-Type: application/merge-patch+json");
	writers = calloc((size_t)b.writers, sizeof(*writers));
	if (!b.multi || !b.json || !b.merge || !writers)
		return 1;
	for (int i = 0; i < b.writers; i++) {
		writers[i] = (struct writer){.bench = &b, .answer = BUF_NULL(BODY_MAX)};
		writers[i].easy = easy_new(&writers[i]);
	}
	start = clock_now();
	bench_run(&b, writers);
	report(&b, clock_now() - start);
	for (int i = 0; i < b.writers; i++) {
		curl_easy_cleanup(writers[i].easy);
		buf_done(&writers[i].answer);
	}
	free(writers);
	curl_multi_cleanup(b.multi);
	curl_slist_free_all(b.json);
	curl_slist_free_all(b.merge);
	kube_config_done(&b.config);
	return b.errors ? 1 : 0;
}
