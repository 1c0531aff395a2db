using Godwit.Real.Tests.Containers;

namespace Godwit.Real.Tests.Docker;

/// <summary>The real <c>docker build</c> with what a Dockerfile can say, seen in what the image then does.</summary>
[Trait("Needs", "docker")]
public sealed class DockerBuildTests
{
    private const string Epoch = "1700000000"; // 2023-11-14T22:13:20Z

    private const string Base = $"""
        FROM {DockerLab.Busybox}
        ONBUILD COPY --chown=11:12 --chmod=640 file /triggered/
        ONBUILD RUN echo "by $(cat /triggered/file)" > /trigger
        """;

    /// <summary>The first shell carries nothing out: it says what it was given, which nobody has expanded.</summary>
    private const string Dockerfile = """
        ARG BASE=nothing-of-this-name
        FROM ${BASE}:${TAG:-latest}
        ARG WHO=nobody
        ARG EMPTY
        ENV FIRST="hello $WHO" SECOND=${EMPTY:-fallback} THIRD=${WHO:+other} FOURTH=\$WHO
        ENV FIRST=changed FIFTH=$FIRST
        SHELL ["/bin/busybox", "echo", "the shell was given:"]
        RUN $FIRST and ${SECOND}
        SHELL ["/bin/sh", "-c"]
        RUN <<END
        echo "$FIRST,$SECOND,$THIRD,$FOURTH,$FIFTH" > /lines
        echo two >> /lines
        END
        COPY <<"VERBATIM" <<EXPANDED /here/
        $FIRST
        VERBATIM
        $FIRST ${EMPTY:-nothing}
        EXPANDED
        ADD archive.tar.gz /unpacked/
        COPY archive.tar.gz /kept/
        COPY --chown=13:14 --chmod=0751 file /owned/
        WORKDIR /work
        WORKDIR deeper
        LABEL "of.this"="a \"label\" of $WHO"
        HEALTHCHECK --interval=100ms --timeout=60s --retries=1 CMD test -e /well
        STOPSIGNAL SIGINT
        CMD trap 'exit 6' INT; echo ready; while :; do usleep 50000; done
        """;

    [Fact]
    public async Task What_a_Dockerfile_says_is_seen_in_the_image_and_with_a_source_date_it_is_the_same_again()
    {
        await using var lab = await DockerLab.OpenAsync();
        var context = Directory.CreateDirectory(Path.Combine(lab.Folder, "context")).FullName;
        await File.WriteAllTextAsync(Path.Combine(context, "file"), "the context's file", EngineLab.Stopping);
        var packed = Directory.CreateDirectory(Path.Combine(lab.Folder, "packed/folder")).Parent!.FullName;
        await File.WriteAllTextAsync(Path.Combine(packed, "folder/inside"), "unpacked", EngineLab.Stopping);
        await EngineLab.HostAsync("tar", "-C", packed, "-czf", Path.Combine(context, "archive.tar.gz"), ".");
        await File.WriteAllTextAsync(Path.Combine(context, "Dockerfile.base"), Base, EngineLab.Stopping);
        await File.WriteAllTextAsync(Path.Combine(context, "Dockerfile"), Dockerfile, EngineLab.Stopping);
        await MustAsync(lab, "build", "--network", "none", "-t", "with-triggers", "-f", Path.Combine(context, "Dockerfile.base"), context);
        Assert.Contains("No such file", (await lab.DockerAsync("run", "--rm", "--network", "none", "with-triggers", "ls", "/trigger")).Error, StringComparison.Ordinal);
        string[] build = ["build", "--network", "none", "--build-arg", "BASE=with-triggers", "--build-arg", "WHO=builder", "--build-arg", $"SOURCE_DATE_EPOCH={Epoch}", "--no-cache"];

        Assert.Contains("the shell was given: $FIRST and ${SECOND}", await MustAsync(lab, [.. build, "-t", "everything", context]), StringComparison.Ordinal);
        var id = await MustAsync(lab, "image", "inspect", "--format", "{{.Id}}", "everything");
        Assert.Equal(id, await MustAsync(lab, [.. build, "-q", context])); // Every step again, at another time.
        Assert.Equal("2023-11-14T22:13:20Z a \"label\" of builder [/bin/sh -c]", await MustAsync(lab, "image", "inspect", "--format", "{{.Created}} {{index .Config.Labels \"of.this\"}} {{.Config.Shell}}", "everything"));

        await MustAsync(lab, "run", "-d", "--name", "built", "--network", "none", "everything");
        Assert.Equal(
            """
            by the context's file
            changed,fallback,other,$WHO,hello builder
            two
            $FIRST
            changed nothing
            unpacked
            11:12 640
            13:14 751
            /kept/archive.tar.gz
            /work/deeper
            """,
            await MustAsync(lab, "exec", "built", "sh", "-c", "cat /trigger /lines /here/VERBATIM /here/EXPANDED /unpacked/folder/inside; echo; busybox stat -c '%u:%g %a' /triggered/file /owned/file; ls /kept/*; pwd"));
        await HealthAsync(lab, "unhealthy");
        await MustAsync(lab, "exec", "built", "touch", "/well");
        await HealthAsync(lab, "healthy");
        await MustAsync(lab, "stop", "-t", "60", "built");
        Assert.Equal("6", await MustAsync(lab, "inspect", "--format", "{{.State.ExitCode}}", "built"));
    }

    private static Task HealthAsync(DockerLab lab, string status) =>
        EngineLab.UntilAsync(async () => await MustAsync(lab, "inspect", "--format", "{{.State.Health.Status}}", "built") == status, $"it is {status}");

    private static async Task<string> MustAsync(DockerLab lab, params string[] arguments)
    {
        var (code, output, error) = await lab.DockerAsync(arguments);
        Assert.True(code == 0, $"docker {string.Join(' ', arguments)}: {code}\n{output}\n{error}");
        return output.TrimEnd();
    }
}
