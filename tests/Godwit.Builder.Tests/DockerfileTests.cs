using System.Text;
using CsCheck;
using Godwit.Builder.Dockerfiles;

namespace Godwit.Builder.Tests;

/// <summary>Dockerfiles are split and understood as the Dockerfile reference has it.</summary>
public sealed class DockerfileTests
{
    [Fact]
    public void A_file_with_everything_reads_as_it_was_approved()
    {
        const string file = """
            # syntax=docker/dockerfile:1
            # escape=\
            # a comment, after which nothing is a directive
            ARG VERSION=12
            from --platform=linux/amd64 debian:${VERSION} AS Base
            LABEL a=1 "b c"="d \"e\"" f='g $h'
            ENV OLD all the rest
            RUN echo one \
                # a comment between

                && echo two
            RUN ["a", "b c"]
            RUN --mount=type=cache,target=/c --mount=type=secret,id=s,required --network=none make
            COPY --chown=1:2 --from=base ["a file", "/to/"]
            ADD --checksum=sha256:abc https://example.invalid/x.tar /x
            RUN <<EOF
            one
              two $x
            EOF
            COPY <<-"one.txt" <<two.txt /there/
            	tab $gone
            	one.txt
            second
            two.txt
            HEALTHCHECK --interval=1m30s --retries=3 CMD curl -f localhost
            HEALTHCHECK NONE
            SHELL ["/bin/bash", "-c"]
            ONBUILD RUN x
            EXPOSE 80/tcp 443
            VOLUME /a /b
            CMD echo hello
            ENTRYPOINT ["/e"]
            FROM scratch
            """;
        const string expected = """
            5 FROM --platform=linux/amd64 | debian:${VERSION} AS Base
            6 LABEL | a=1 "b c"="d \"e\"" f='g $h'
            7 ENV | OLD all the rest
            8 RUN | echo one     && echo two
            12 RUN | ["a", "b c"] | a;b c
            13 RUN --mount=type=cache,target=/c --mount=type=secret,id=s,required --network=none | make
            14 COPY --chown=1:2 --from=base | ["a file", "/to/"] | a file;/to/
            15 ADD --checksum=sha256:abc | https://example.invalid/x.tar /x
            16 RUN | <<EOF
              <<EOF expanded: one~  two $x~
            20 COPY | <<-"one.txt" <<two.txt /there/
              <<one.txt plain: tab $gone~
              <<two.txt expanded: second~
            25 HEALTHCHECK --interval=1m30s --retries=3 | CMD curl -f localhost
            26 HEALTHCHECK | NONE
            27 SHELL | ["/bin/bash", "-c"] | /bin/bash;-c
            28 ONBUILD | RUN x
            29 EXPOSE | 80/tcp 443
            30 VOLUME | /a /b
            31 CMD | echo hello
            32 ENTRYPOINT | ["/e"] | /e
            33 FROM | scratch
            """;
        Assert.Equal("4 ARG | VERSION=12\n" + expected, Describe(DockerfileReader.Read(file)));
        Assert.Equal(2, BuildStages.Read(file).Stages.Count);
        Assert.Equal("base", BuildStages.Read(file).Stages[0].From.StageName);
    }

    [Theory]
    [InlineData("FROM a\nRUN x \\\n", "RUN | x")]
    [InlineData("FROM a\nRUN x \\  \n y", "RUN | x  y")]
    [InlineData("FROM a\r\nRUN x\\\r\ny\r\n", "RUN | xy")]
    [InlineData("FROM a\nRUN x \\\\\nUSER y", "RUN | x \\\\")]
    [InlineData("# escape=`\nFROM a\nRUN x \\\nUSER y", "RUN | x \\")]
    [InlineData("# escape=`\nFROM a\nRUN dir c:\\ `\n  more", "RUN | dir c:\\   more")]
    [InlineData("FROM a\nRUN cat <<<x", "RUN | cat <<<x")]
    [InlineData("FROM a\nRUN echo '<<EOF'", "RUN | echo '<<EOF'")]
    [InlineData("FROM a\nRUN -- --x", "RUN | --x")]
    [InlineData("FROM a\nCMD [\"a\", 1]", "CMD | [\"a\", 1]")]
    [InlineData("FROM a\nCMD ['a']", "CMD | ['a']")]
    public void Lines_go_on_and_end_as_they_should(string file, string second) =>
        Assert.Equal(second, Describe(DockerfileReader.Read(file)).Split('\n')[1][2..]);

    [Theory]
    [InlineData("", "no instructions")]
    [InlineData("# only\n", "no instructions")]
    [InlineData("FRUM x", "unknown instruction: FRUM")]
    [InlineData("RUN x", "no build stage")]
    [InlineData("ARG x", "no FROM")]
    [InlineData("FROM a b", "one or three arguments")]
    [InlineData("FROM a AS 1x", "is none")]
    [InlineData("FROM a AS x\nFROM b AS X", "duplicate name x")]
    [InlineData("FROM a\nRUN <<EOF\nx", "unterminated heredoc")]
    [InlineData("FROM a\nRUN", "requires")]
    [InlineData("FROM a\nENV x", "two arguments")]
    [InlineData("FROM a\nENV x=1 y", "can't find =")]
    [InlineData("FROM a\nENV =1", "blank")]
    [InlineData("FROM a\nCOPY x", "at least two")]
    [InlineData("FROM a\nCOPY --form=x a b", "--form")]
    [InlineData("FROM a\nRUN --mount=type=what,target=/x y", "type")]
    [InlineData("FROM a\nRUN --mount=type=cache y", "target")]
    [InlineData("FROM a\nRUN --mount=type=bind,targe=/x y", "targe")]
    [InlineData("FROM a\nONBUILD ONBUILD RUN x", "chained")]
    [InlineData("FROM a\nONBUILD FROM x", "FROM")]
    [InlineData("FROM a\nSHELL /bin/sh", "JSON")]
    [InlineData("FROM a\nHEALTHCHECK --interval=soon CMD x", "duration")]
    [InlineData("FROM a\nHEALTHCHECK CMD", "missing")]
    [InlineData("FROM a\nSTOPSIGNAL a b", "exactly one")]
    [InlineData("# escape=x\nFROM a", "escape token")]
    [InlineData("# escape=\\\n# escape=\\\nFROM a", "only one escape")]
    public void What_is_wrong_is_said_with_its_line(string file, string words)
    {
        var refusal = Assert.Throws<BuildException>(() => BuildStages.Read(file));
        Assert.Contains(words, refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("$a", "A")]
    [InlineData("${a}b", "Ab")]
    [InlineData("x$none.y", "x.y")]
    [InlineData("\\$a", "$a")]
    [InlineData("'$a'", "$a")]
    [InlineData("\"$a b\"", "A b")]
    [InlineData("\"\\x\\\"\"", "\\x\"")]
    [InlineData("${none:-d$a}", "dA")]
    [InlineData("${empty:-d}", "d")]
    [InlineData("${empty-d}", "")]
    [InlineData("${a:+set}", "set")]
    [InlineData("${none+set}", "")]
    [InlineData("${none:-${a:-x}}", "A")]
    [InlineData("${path#*/}", "b/c.tar.gz")]
    [InlineData("${path##*/}", "c.tar.gz")]
    [InlineData("${path%.*}", "a/b/c.tar")]
    [InlineData("${path%%.*}", "a/b/c")]
    [InlineData("${path/b/x}", "a/x/c.tar.gz")]
    [InlineData("${path//a/x}", "x/b/c.txr.gz")]
    [InlineData("$1$", "$")]
    public void Variables_are_expanded_and_quotes_taken_away(string word, string expected) => Assert.Equal(expected, Expansion.Word(word, Rules));

    [Theory]
    [InlineData("${a")]
    [InlineData("${}")]
    [InlineData("'a")]
    [InlineData("\"a")]
    [InlineData("${a:x}")]
    [InlineData("${a^}")]
    [InlineData("${none:?it is needed}")]
    public void Expansions_that_cannot_be_are_refused(string word) => Assert.Throws<BuildException>(() => Expansion.Word(word, Rules));

    [Fact]
    public void Words_are_split_outside_quotes() => Assert.Equal(["a b", "c", "Ad"], Expansion.Words("'a b'   c \"$a\"d", Rules));

    [Fact]
    public void Documents_keep_their_quotes() => Assert.Equal("echo \"A\" '$' \\n", Expansion.Document("echo \"$a\" '\\$' \\n", Rules));

    [Theory]
    [InlineData("1h2m3.5s", 3_723_500_000_000)]
    [InlineData("500ms", 500_000_000)]
    [InlineData("0", 0)]
    public void Durations_are_read(string text, long nanoseconds) => Assert.Equal(nanoseconds, GoDuration.ParseNanoseconds(text));

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("-1s")]
    [InlineData("1x")]
    [InlineData("99999999999h")]
    [InlineData("1.2.3s")]
    public void What_is_no_duration_is_refused(string text) => Assert.Null(GoDuration.ParseNanoseconds(text));

    [Fact]
    public void Whatever_a_file_says_it_is_read_or_refused_and_that_soon()
    {
        var piece = Gen.OneOf(Array.ConvertAll<string, Gen<string>>(["FROM a\n", "RUN ", "COPY ", "ENV ", "HEALTHCHECK ", "ONBUILD ", "ARG ", "--mount=", "type=cache,target=/", "<<EOF", "<<-'E'", "EOF\n", "\\\n", "\n", "#", " ", "\"", "'", "$", "${", "}", ":-", "[", "]", "=", "# escape=`\n", "\0", "é", "/", "%", "a"], text => Gen.Const(text)));
        piece.Array[0, 40].Sample(
            pieces =>
            {
                try
                {
                    foreach (var step in BuildStages.Read("FROM x\n" + string.Concat(pieces)).Stages.SelectMany(stage => stage.Steps))
                    {
                        Expansion.Words(step.Source.Arguments, Rules);
                    }
                }
                catch (BuildException)
                {
                    // The only way to refuse.
                }
            },
            iter: 50_000);
    }

    private static ExpansionRules Rules => new('\\', name => name switch { "a" => "A", "empty" => "", "path" => "a/b/c.tar.gz", _ => null }, 1);

    private static string Describe(DockerfileText text)
    {
        var lines = new StringBuilder();
        foreach (var instruction in text.Instructions)
        {
            lines.Append(string.Join(' ', new[] { $"{instruction.Line} {instruction.Name}" }.Concat(instruction.Flags.Select(flag => flag.ToString())))).Append(" | ").Append(instruction.Arguments);
            lines.Append(instruction.Array is null ? "" : " | " + string.Join(';', instruction.Array)).Append('\n');
            foreach (var document in instruction.Documents)
            {
                lines.Append($"  <<{document.Name} {(document.IsExpanded ? "expanded" : "plain")}: {document.Contents.Replace('\n', '~')}\n");
            }
        }

        return lines.ToString().TrimEnd('\n');
    }
}
