namespace Godwit.Real.Tests.Docker;

/// <summary>Docker's own bindings for Python, which Ansible and Testcontainers for Python speak through.</summary>
[Trait("Needs", "docker")]
public sealed class PythonTests
{
    private const string Script = """
        import docker, io, tarfile
        client = docker.from_env()
        assert client.ping() and client.version()["ApiVersion"]
        assert client.containers.run("busybox-lab", ["echo", "hello"], remove=True, network_mode="none") == b"hello\n"
        net = client.networks.create("py", driver="bridge")
        box = client.containers.run("busybox-lab", ["sh", "-c", "echo up; exec sleep 1000"], detach=True, name="py", network="py", labels={"who": "py"}, ports={"80/tcp": ("127.0.0.1", None)}, volumes={"pyvol": {"bind": "/data", "mode": "rw"}}, mem_limit="64m")
        box.reload()
        assert box.status == "running" and box.ports["80/tcp"][0]["HostIp"] == "127.0.0.1"
        assert next(box.logs(stream=True, follow=True)) == b"up\n"
        code, out = box.exec_run(["sh", "-c", "echo out; echo err >&2; exit 4"], demux=True)
        assert (code, out) == (4, (b"out\n", b"err\n")), (code, out)
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            member = tarfile.TarInfo("put"); member.size = 3; archive.addfile(member, io.BytesIO(b"abc"))
        assert box.put_archive("/tmp", tar.getvalue())
        bits, stat = box.get_archive("/tmp/put"); assert stat["size"] == 3 and b"abc" in b"".join(bits)
        assert box.stats(stream=False)["memory_stats"]["usage"] > 0
        assert [c.name for c in client.containers.list(filters={"label": "who=py"})] == ["py"]
        image, log = client.images.build(fileobj=io.BytesIO(b"FROM busybox-lab\nENV A=b\n"), tag="py:1"); assert "A=b" in image.attrs["Config"]["Env"]
        try: client.containers.get("nobody"); assert False
        except docker.errors.NotFound as missing: assert "No such container" in str(missing)
        box.stop(timeout=0); assert box.wait()["StatusCode"] == 137
        box.remove(v=True); net.remove(); client.volumes.get("pyvol").remove(); client.images.remove("py:1")
        assert any(e["Action"] == "destroy" for e in client.events(since=1, until=int(__import__("time").time()) + 1, decode=True))
        print("whole")
        """;

    [Fact]
    public async Task Dockers_bindings_for_Python_do_their_work()
    {
        await using var lab = await DockerLab.OpenAsync();
        Assert.SkipUnless((await lab.RunAsync("/usr/bin/python3", "", ["-c", "import docker"])).Code == 0, "needs Docker's bindings for Python: install the package python3-docker");
        var (code, output, error) = await lab.RunAsync("/usr/bin/python3", "", ["-c", Script]);
        Assert.True(code == 0, error);
        Assert.Equal("whole\n", output);
    }
}
